"""What all tests share: no network, and tiny encoders that are made once."""

import os
import sys
from collections.abc import Callable
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

pytest_plugins = ["made_runs"]
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

os.environ.setdefault("OMP_NUM_THREADS", "1")  # tests run two at a time, and what is tiny is slower on more
os.environ["HF_HUB_OFFLINE"] = "1"  # read when transformers is imported: nothing is asked for, at once


@pytest.fixture(autouse=True)
def drawn_anew() -> None:
    """Let no test draw other random numbers because another one ran before it."""
    if "torch" in sys.modules:  # where it is not loaded yet, its generator is new too
        sys.modules["torch"].manual_seed(0)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """Give the folder of a tiny encoder by family, see `tiny.FAMILIES`. Read it, do not write to it."""
    made: dict[str, Path] = {}

    def folder(family: str) -> str:
        from tiny import save_encoder

        if family not in made:
            made[family] = save_encoder(family, tmp_path_factory.mktemp("tiny") / family)
        return str(made[family])

    return folder


@pytest.fixture(scope="session")
def ready_package(tiny: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A package as affekt-small's is, of a tiny untrained model with its labels, in a folder of its own."""
    from affekt.data.taxonomies import EKMAN
    from tiny import save_classifier

    package = tmp_path_factory.mktemp("installed") / "affekt_small"
    labels = sorted(label for group in EKMAN.groups.values() for label in group)
    save_classifier(tiny("bert"), labels, package / "model", single_label=False)
    (package / "__init__.py").write_text("")
    return package


@pytest.fixture
def ready(ready_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the ready model while a tiny one is installed in its place."""
    monkeypatch.syspath_prepend(ready_package.parent)
    return ready_package / "model"


@pytest.fixture
def no_ready(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let the ready model be neither installed nor in the tree."""
    from affekt import files

    monkeypatch.setattr(files, "find_spec", lambda name: None)
    monkeypatch.setattr(files, "__file__", str(tmp_path / "src" / "affekt" / "files.py"))


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Give a script of benchmarks/ as a module, by its name."""

    def module(name: str) -> ModuleType:
        monkeypatch.syspath_prepend(str(BENCHMARKS))
        described = spec_from_file_location(f"{name}_benchmark", BENCHMARKS / f"{name}.py")
        assert described
        assert described.loader
        found = module_from_spec(described)
        monkeypatch.setitem(sys.modules, described.name, found)  # where dataclasses look for it
        described.loader.exec_module(found)
        return found

    return module
