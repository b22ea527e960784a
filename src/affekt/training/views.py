"""Second views of training texts, for objectives that compare a text with a changed copy of itself."""

from collections.abc import Callable

from affekt.data.corpus import Corpus
from affekt.recipe.sections import Recipe


def view_texts(recipe: Recipe, train: Corpus) -> Callable[[int], dict[str, list[str]]] | None:
    """Return what makes an epoch's views, or None where the objective needs no changed texts."""
    if not recipe.objective.changes_texts:
        return None
    from affekt.text.synonyms import replace_words

    def views(epoch: int) -> dict[str, list[str]]:
        return {"view": replace_words(train.texts, seed=recipe.training.seed * 1009 + epoch)}

    return views
