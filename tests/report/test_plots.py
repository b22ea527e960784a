import struct
import subprocess
import sys
import warnings

import numpy as np
import pytest
from matplotlib.image import imread

from affekt.report import plots
from affekt.report.plots import _cell
from affekt.report.style import plain

TWENTY_EIGHT = [f"a rather long label name {i}" for i in range(28)]
ODD = ["joy 😀", "$rage$ and $5", "悲しみ", "فرح", "a_b^c\\frac", "<b>", "", "x" * 80]


@pytest.fixture(autouse=True)
def _no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def _size(path):
    header = path.read_bytes()[:24]
    assert header[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", header[16:24])


def _dark(path):
    """Return the share of pixels of the deepest blue."""
    pixels = imread(path)[:, :, :3]
    return float((np.abs(pixels - np.array([8, 48, 107]) / 255).max(axis=2) < 0.02).mean())


@pytest.mark.parametrize("labels", [["yes", "no"], TWENTY_EIGHT], ids=["2", "28"])
def test_class_distribution_grows_with_its_labels(tmp_path, labels):
    counts = {
        split: {label: 10 * i + 1 for i, label in enumerate(labels)} for split in ("train", "dev", "test")
    }
    plots.class_distribution(counts, tmp_path / "a.png")
    width, height = _size(tmp_path / "a.png")
    assert 700 < width < 2000
    assert height > 30 * len(labels)


def test_class_distribution_takes_a_split_that_lacks_a_label_or_has_no_rows(tmp_path):
    plots.class_distribution({"train": {"joy": 3}, "dev": {"anger": 0}}, tmp_path / "a.png")
    assert _size(tmp_path / "a.png")


@pytest.mark.parametrize("epochs", [1, 4])
def test_learning_curves_take_one_epoch_and_values_that_are_missing(tmp_path, epochs):
    history = [
        {
            "epoch": i + 1,
            "train_loss": 1 / (i + 1),
            "dev_loss": None,
            "terms": {"bce": 0.5, "scl": float("nan")},
            "dev": {"f1_macro": 0.1 * i, "per_label": {"joy": {}}},
        }
        for i in range(epochs)
    ]
    plots.learning_curves(history, tmp_path / "a.png")
    assert _size(tmp_path / "a.png")


def test_a_train_loss_of_several_terms_has_axes_of_its_own(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(plots, "title", lambda ax, text: drawn.append((text, len(ax.lines))))
    row = {"train_loss": 2.0, "dev_loss": 1.0, "dev": {"f1_macro": 0.5}}
    plots.learning_curves([row | {"terms": {"bce": 2.0}}], tmp_path / "a.png")
    assert drawn == [("Loss", 2), ("Dev metrics", 1)]
    drawn.clear()
    plots.learning_curves([row | {"terms": {"bce": 0.5, "scl": 1.5}}], tmp_path / "a.png")
    assert drawn == [("Train loss", 3), ("Dev loss", 1), ("Dev metrics", 1)]


def test_learning_curves_of_a_history_without_numbers_are_still_a_picture(tmp_path):
    plots.learning_curves([{"epoch": 1}], tmp_path / "a.png")
    assert _size(tmp_path / "a.png")


def test_a_perfect_confusion_matrix_is_dark_on_its_diagonal_and_an_empty_one_nowhere(tmp_path):
    labels = ["sadness", "joy", "love"]
    plots.confusion(np.eye(3), labels, tmp_path / "perfect.png")
    plots.confusion(np.full((3, 3), np.nan), labels, tmp_path / "empty.png")
    plots.confusion(np.zeros((3, 3)), labels, tmp_path / "zero.png")
    scale = _dark(tmp_path / "zero.png")  # the colour scale holds a little of it
    assert _dark(tmp_path / "perfect.png") > scale + 0.1
    assert _dark(tmp_path / "empty.png") == pytest.approx(scale, abs=0.01)


@pytest.mark.parametrize("labels", [TWENTY_EIGHT, ODD, ["a", "b"]], ids=["28", "odd", "2"])
def test_cooccurrence_is_drawn_for_few_many_and_odd_labels(tmp_path, labels):
    plots.cooccurrence(np.random.default_rng(0).random((len(labels),) * 2), labels, tmp_path / "a.png")
    assert min(_size(tmp_path / "a.png")) > 300


@pytest.mark.parametrize(
    ("share", "small", "text"),
    [(0.0, False, ""), (0.012, False, ".01"), (1.0, False, "1"), (0.03, True, ""), (np.nan, False, "–")],
)
def test_cells_say_nothing_for_next_to_nothing(share, small, text):
    assert _cell(share, small=small) == text


def test_reliability_is_drawn_with_and_without_calibration(tmp_path):
    bins = [
        {"low": 0.1 * i, "high": 0.1 * (i + 1), "confidence": 0.1 * i, "frequency": 0.5, "n": i}
        for i in range(1, 9)
    ]
    plots.reliability(bins, bins[2:], tmp_path / "both.png")
    plots.reliability(None, bins[:1], tmp_path / "one.png")
    assert _size(tmp_path / "both.png") == pytest.approx(_size(tmp_path / "one.png"), rel=0.1)


def test_risk_over_coverage_is_drawn(tmp_path):
    curve = [{"coverage": share, "risk": share / 4} for share in (0.5, 1.0)]
    plots.risk_coverage(curve, tmp_path / "a.png", "share decided wrongly")
    assert min(_size(tmp_path / "a.png")) > 300


def test_thresholds_and_example_bars_are_drawn_for_odd_labels(tmp_path):
    plots.thresholds(ODD, np.linspace(0, 1, len(ODD)), tmp_path / "a.png")
    plots.example_bars("$5 for 😀 " * 60, ODD, [1 / len(ODD)] * len(ODD), tmp_path / "b.png")
    assert _size(tmp_path / "a.png")
    assert _size(tmp_path / "b.png")


def test_intervals_are_drawn_when_series_lack_rows_and_rows_lack_series(tmp_path):
    plots.intervals(
        {"Macro F1": {"a": (0.5, 0.4, 0.6)}, "Accuracy": {"b": (0.7, 0.7, 0.7)}},
        tmp_path / "a.png",
        {"Macro F1": {"bert": 0.46}, "unknown here": {"bert": 0.1}},
    )
    assert _size(tmp_path / "a.png")


@pytest.mark.parametrize("n", [1, 500])
def test_a_scatter_takes_few_and_many_categories(tmp_path, n):
    rng = np.random.default_rng(0)
    plots.scatter(
        rng.normal(size=(n, 2)), rng.choice(TWENTY_EIGHT, n).tolist(), tmp_path / "a.png", "Map $x$ 😀"
    )
    assert _size(tmp_path / "a.png")


def test_categories_come_commonest_first_and_sentiments_in_their_own_order():
    assert plots.by_frequency(["b", "a", "a"]) == ["a", "b"]
    mixed = ["positive", "positive", "other", "negative"]
    assert plots.by_frequency(mixed) == ["negative", "positive", "other"]


def test_a_picture_that_fails_leaves_nothing_behind(tmp_path):
    with pytest.raises(IndexError):
        plots.confusion(np.zeros((2, 2)), ["a", "b", "c"], tmp_path / "a.png")
    assert list(tmp_path.iterdir()) == []


def test_text_in_pictures_is_never_empty_never_mathematics_and_cut_with_an_ellipsis():
    assert plain("😀") in ("·", "😀")
    assert plain("a $x$\n b") == r"a \$x\$ b"
    assert plain("abcdefgh", 5) == "abcd…"


def test_drawing_touches_no_global_state_of_matplotlib(tmp_path):
    code = (
        "import sys, affekt.report.plots as f, pathlib, matplotlib as m\n"
        "before = m.rcParams.copy()\n"
        "f.thresholds(['a', 'b'], [.2, .7], pathlib.Path(sys.argv[1]))\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert all(before[k] == m.rcParams[k] for k in before if k != 'backend')"
    )
    path = tmp_path / "a.png"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert path.exists()
