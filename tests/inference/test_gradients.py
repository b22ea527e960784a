"""Integrated gradients: what they sum to, whose words they name, and the numbers of captum."""

import numpy as np
import pytest
import torch

from affekt.errors import UsageError
from affekt.inference.gradients import integrated
from affekt.inference.model import Model, load
from affekt.inference.runtimes.torch import TorchRuntime
from tiny import save_classifier
from training.toys import ToyEncoder

LABELS = ("anger", "fear", "joy")
TEXT = "so happy , and then the day was sad"
STEPS = 200
# what captum 0.9.0 says of the words for joy (LayerIntegratedGradients, "riemann_middle", 200 steps), where
# texts have one label and where several
CAPTUM = {
    True: [0.44717, -0.00703, -0.01773, -0.01182, -0.00261, 1.48675, 0.00107, -2.20403, 0.19043],
    False: [0.37599, -0.00907, -0.01473, -0.03566, 0.05356, 1.27766, 0.00237, -1.69342, 0.08126],
}


@pytest.fixture(scope="module", params=[True, False], ids=["one", "several"])
def model(request, tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("gradients") / "model"
    opened = load(save_classifier(tiny("bert"), LABELS, folder, single_label=request.param))
    generator = torch.Generator().manual_seed(0)
    for weight in opened.runtime.network.parameters():  # as it starts, it makes little of any word
        weight.data += 0.3 * torch.randn(weight.shape, generator=generator)
    return opened


def given(explanation, label):
    """What the words are given, without what stands between them."""
    pairs = zip(explanation.pieces, explanation.carries[label], strict=True)
    return [value for piece, value in pairs if not piece.isspace()]


def padded(model):
    """The probabilities of the text with padding for every piece."""
    encoder = model.runtime.network.encoder
    [row] = encoder.tokenize([TEXT])
    own = encoder.tokenizer.all_special_ids
    batch = encoder.collate([[one if one in own else encoder.filler for one in row]])
    with torch.no_grad():
        return model.deciding().probabilities(model.runtime.network(batch).numpy())[0]


def test_what_the_words_carry_sums_to_what_the_text_does(model):
    found = integrated(model.runtime, model.deciding(), TEXT, LABELS, steps=STEPS)
    gained = model.probabilities(TEXT)[0] - padded(model)
    assert np.abs(gained).max() > 0.05
    by_captum = captum(model)
    for column, label in enumerate(LABELS):
        # the marks of the model's own carry nothing, since they are the same at both ends
        assert sum(found.carries[label]) == pytest.approx(gained[column], abs=5e-3)
        if by_captum is not None:
            assert given(found, label) == pytest.approx(by_captum[:, column], abs=1e-5)
    assert given(found, "joy") == pytest.approx(CAPTUM[model.single_label], abs=2e-3)


def captum(model):
    """What captum's LayerIntegratedGradients says of the words; None where it is not installed."""
    try:
        from captum.attr import LayerIntegratedGradients
    except ImportError:
        return None
    encoder = model.runtime.network.encoder
    [row] = encoder.tokenize([TEXT])
    own = encoder.tokenizer.all_special_ids
    filled = [one if one in own else encoder.filler for one in row]
    mask, single = torch.ones(1, len(row), dtype=torch.bool), model.single_label

    def likely(ids):
        logits = model.runtime.network({"ids": ids, "mask": mask.expand(len(ids), -1)})
        return logits.softmax(1) if single else logits.sigmoid()

    method = LayerIntegratedGradients(likely, encoder.word_embeddings())
    whole, empty = torch.tensor([row]), torch.tensor([filled])
    columns = [
        method.attribute(whole, empty, target=column, n_steps=STEPS, method="riemann_middle").sum(-1)[0]
        for column in range(len(LABELS))
    ]
    tokens = torch.stack(columns, dim=1).detach().numpy()
    spans = encoder.tokenizer(TEXT, return_offsets_mapping=True)["offset_mapping"]
    starts = np.cumsum([0, *(len(word) + 1 for word in TEXT.split())])
    words = np.zeros((len(starts) - 1, len(LABELS)))
    for (start, end), given in zip(spans, tokens, strict=True):
        if end > start:
            words[np.searchsorted(starts, start, side="right") - 1] += given
    return words


def test_the_pieces_are_the_text_and_spaces_carry_nothing(model):
    [found] = model.explain(TEXT, gradients=True)
    assert "".join(found.pieces) == TEXT
    assert all(
        value == 0
        for values in found.carries.values()
        for piece, value in zip(found.pieces, values, strict=True)
        if piece.isspace()
    )
    assert list(found.carries) == list(LABELS)


def test_an_explanation_leaves_the_model_as_it_was(model):
    before = model.probabilities(TEXT)
    model.explain([TEXT, "so happy"], gradients=True)
    assert model.probabilities(TEXT).tolist() == before.tolist()


@pytest.mark.parametrize("text", ["", "   ", "happy", "so " * 200])
def test_texts_of_any_length_have_an_explanation(model, text):
    [found] = model.explain(text, gradients=True)
    assert "".join(found.pieces) == text
    assert all(np.isfinite(values).all() for values in found.carries.values())


def test_a_model_whose_pieces_are_no_words_is_refused_in_a_sentence():
    from affekt.decisions import Decisions
    from affekt.networks.heads import LinearHead
    from affekt.networks.network import Network

    decisions = Decisions.unfitted(3, single_label=True)
    toy = Model(TorchRuntime(Network(ToyEncoder(), LinearHead(6, 3))), LABELS, True, decisions)
    with pytest.raises(UsageError, match="gradients explain a transformer"):
        toy.explain(TEXT, gradients=True)
