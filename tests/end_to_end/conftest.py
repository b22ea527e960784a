"""Fixtures of the end-to-end tests: the command line as a function, and a small share of the sample."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from training.toys import sample_files


@dataclass(frozen=True)
class Said:
    """How a command ended and what it wrote."""

    code: int
    out: str
    err: str


@pytest.fixture
def affekt(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Run `affekt` with some arguments, in this process."""

    def run(*arguments: Any) -> Said:
        from affekt.cli import main

        monkeypatch.setattr(sys, "argv", ["affekt", *map(str, arguments)])
        capsys.readouterr()
        try:
            main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
        said = capsys.readouterr()
        return Said(code, said.out, said.err)

    return run


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The data section of a recipe: 42 texts to train on, 24 for dev and 24 for test, six emotions."""
    return sample_files(tmp_path_factory.mktemp("sample"))


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Any], Path]:
    """Write a recipe to a file."""

    def write(recipe: Any) -> Path:
        path = tmp_path / "recipe.yaml"
        path.write_text(recipe.to_yaml(), encoding="utf-8")
        return path

    return write
