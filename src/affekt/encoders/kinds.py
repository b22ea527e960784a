"""The encoders by name."""

from pathlib import Path

from affekt.encoders import Encoder
from affekt.encoders.characters import CharacterCnnEncoder
from affekt.encoders.charbert.encoder import CharBertEncoder
from affekt.encoders.convolutional import WordCnnEncoder
from affekt.encoders.recurrent import BiLstmEncoder
from affekt.encoders.static import StaticEncoder
from affekt.encoders.tfidf import TfidfEncoder
from affekt.encoders.transformer import TransformerEncoder
from affekt.encoders.word_average import WordAverageEncoder
from affekt.errors import ModelError, unknown_name

ENCODERS: dict[str, type[Encoder]] = {
    encoder.kind: encoder
    for encoder in (
        TransformerEncoder,
        StaticEncoder,
        CharBertEncoder,
        BiLstmEncoder,
        WordCnnEncoder,
        CharacterCnnEncoder,
        TfidfEncoder,
        WordAverageEncoder,
    )
}


def load_encoder(kind: str, folder: Path) -> Encoder:
    """Open a saved encoder of a kind."""
    if kind not in ENCODERS:
        raise ModelError(unknown_name("encoder", kind, ENCODERS))
    return ENCODERS[kind].load(folder)
