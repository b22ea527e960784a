"""A tiny classifier's folder, and how a verb is run."""

from collections.abc import Callable

import pytest
from typer.testing import CliRunner


@pytest.fixture(scope="session")
def classifier(tiny: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a tiny untrained model that gives one of the bundled sample's six emotions."""
    return _model(tiny, tmp_path_factory, single_label=True)


@pytest.fixture(scope="session")
def multi_classifier(tiny: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of one that gives any of them."""
    return _model(tiny, tmp_path_factory, single_label=False)


def _model(tiny: Callable[[str], str], places: pytest.TempPathFactory, *, single_label: bool) -> str:
    from affekt.data import catalog
    from tiny import save_classifier

    labels = catalog.DATASETS["sample"].labels
    folder = places.mktemp("cli") / "model"
    return str(save_classifier(tiny("bert"), labels, folder, single_label=single_label))


@pytest.fixture
def verb() -> Callable[..., str]:
    """Run a verb and give what it writes to standard output; faults come out as they reach `main`."""

    def run(*words: object, stdin: str | None = None) -> str:
        from affekt.cli import app

        outcome = CliRunner().invoke(app, list(map(str, words)), input=stdin, catch_exceptions=False)
        assert outcome.exit_code == 0, outcome.output
        return outcome.stdout

    return run
