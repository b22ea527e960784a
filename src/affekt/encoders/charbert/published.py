"""Published CharBERT checkpoints: a folder with config.json, tokenizer, model.safetensors and characters."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import safe_open
from transformers import AutoConfig

from affekt.encoders.charbert.characters import CharacterVocabulary
from affekt.encoders.pretrained import load_tokenizer
from affekt.encoders.saving import read_options, read_tensors
from affekt.errors import ModelError, not_whole

_WEIGHTS = "model.safetensors"


@dataclass(frozen=True)
class PublishedOptions:
    """What a recipe may say of a published CharBERT.

    Attributes:
        vocabulary: The file of its characters; where none is named, the folder's own `…char_vocab`.
        compatible: Read texts and padding exactly as the published code does, faults included.
    """

    vocabulary: str | None = None
    compatible: bool = False


def is_published(folder: Path) -> bool:
    """Whether a folder's weights have the character channel under its published names."""
    if not (folder / _WEIGHTS).is_file():
        return False
    with not_whole(folder / _WEIGHTS, "file of weights"), safe_open(folder / _WEIGHTS, "pt") as weights:
        return any("char_embeddings." in name for name in weights.keys())  # noqa: SIM118  it is no dict


def read_published(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of `CharBertEncoder.load_published` that a folder and a recipe's options give."""
    options = read_options("charbert", PublishedOptions, given)
    found = [options.vocabulary] if options.vocabulary else sorted(folder.glob("*char_vocab*"))
    if len(found) != 1:
        raise ModelError(
            f"{folder}: holds {len(found)} files named …char_vocab, of which a published CharBERT needs one; "
            "name the file of its characters as encoder.options.vocabulary."
        )
    with not_whole(folder, "published CharBERT"):
        return {
            "tokenizer": load_tokenizer(str(folder), str(folder)),
            "config": AutoConfig.from_pretrained(folder, trust_remote_code=False),
            "state_dict": read_tensors(folder / _WEIGHTS),
            "vocabulary": CharacterVocabulary.from_file(Path(found[0])),
            "compatible": options.compatible,
        }
