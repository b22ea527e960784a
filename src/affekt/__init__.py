"""affekt: emotion in short text.

The names below are loaded when they are first used, so that importing affekt stays light.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from affekt._version import __version__

if TYPE_CHECKING:
    from affekt import evaluation, losses, text
    from affekt.data.corpus import Corpus
    from affekt.estimators import EmotionClassifier, EmotionEmbedder
    from affekt.inference.model import Model, Prediction, load

_HOMES = {
    "Corpus": "affekt.data.corpus",
    "EmotionClassifier": "affekt.estimators",
    "EmotionEmbedder": "affekt.estimators",
    "Model": "affekt.inference.model",
    "Prediction": "affekt.inference.model",
    "load": "affekt.inference.model",
}
_MODULES = {"evaluation", "losses", "text"}

__all__ = [
    "Corpus",
    "EmotionClassifier",
    "EmotionEmbedder",
    "Model",
    "Prediction",
    "__version__",
    "evaluation",
    "load",
    "losses",
    "text",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"affekt.{name}")
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'affekt' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
