"""What all tests share: no network, and tiny encoders that are made once."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest_plugins = ["made_runs"]

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
