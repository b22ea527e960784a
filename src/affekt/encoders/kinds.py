"""The encoders by name."""

from pathlib import Path
from typing import Any

from affekt.encoders.bag import TfidfEncoder, WordAverageEncoder
from affekt.encoders.characters import CharacterCnnEncoder
from affekt.encoders.charbert.encoder import CharBertEncoder
from affekt.encoders.convolutional import WordCnnEncoder
from affekt.encoders.recurrent import BiLstmEncoder
from affekt.encoders.transformer import TransformerEncoder
from affekt.errors import ModelError, unknown_name

ENCODERS: dict[str, Any] = {
    "transformer": TransformerEncoder,
    "charbert": CharBertEncoder,
    "bilstm": BiLstmEncoder,
    "word-cnn": WordCnnEncoder,
    "character-cnn": CharacterCnnEncoder,
    "tfidf": TfidfEncoder,
    "word-average": WordAverageEncoder,
}


def encoder_kind(encoder: Any) -> str:
    """Return the name under which an encoder stands in `ENCODERS`."""
    return next(kind for kind, cls in ENCODERS.items() if type(encoder) is cls)


def load_encoder(kind: str, folder: Path) -> Any:
    """Open a saved encoder of a kind."""
    if kind not in ENCODERS:
        raise ModelError(unknown_name("encoder", kind, ENCODERS))
    return ENCODERS[kind].load(folder)
