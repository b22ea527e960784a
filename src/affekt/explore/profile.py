"""What the texts of a file say as a whole: how much of each emotion, by group and over time."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from affekt.data.columns import Columns, OnBadRow
from affekt.data.dates import DateSurvey, gaps, period_name, period_of
from affekt.data.read import Window, stream
from affekt.errors import DataError, UsageError, unknown_name
from affekt.explore.shares import FEWEST_NAMED, OTHER, Asked, Shares, check_compared, compared, part_name
from affekt.explore.tally import WHOLE, Part, Tally, document_scores
from affekt.explore.typical import Sample, sample_words
from affekt.inference.model import Model, load
from affekt.inference.places import check
from affekt.inference.score import SkippedRows, foreign

WINDOW = 1024
MOST_GROUPS = 12  # values of a column that are told; the rarer ones are "other"
MOST_PERIODS = 750
_MOST_VALUES = 10_000  # different values of a column, more than which make no groups
_OFTEN = 5  # texts that must hold a pair of labels for it to be told
_LONG = 120  # words: most models read no more of a text
NOTHING = "(none)"

Tick = Callable[[int, int], None]


def profile_file(
    model: Model | str | Path | None,
    path: str | Path,
    asked: Asked | None = None,
    *,
    columns: Columns | None = None,
    on_bad_row: OnBadRow = "skip",
    tick: Tick | None = None,
) -> dict[str, Any]:
    """Tell what the texts of a file say as a whole, in bounded memory.

    Shares are estimated from how dev scored, as in `affekt.evaluation.prevalence`. For a model that does not
    know that, and for texts that are scored by sentence, they are plain counts, and their intervals say only
    how far other texts would differ.

    Args:
        model: A classifier, or where `load` finds it: it is then opened once the file has been looked at.
        path: csv, tsv, jsonl, json, txt (all also with .gz), xlsx or parquet.
        asked: What is to be told.
        columns: How the file is read.
        on_bad_row: "fail" at the first row without a usable text, "skip" such rows, or "report" them all.
        tick: Hears (rows done, rows in all) after each window.

    Returns:
        Plain values: "all", "groups", "periods", "differences", "together", "emotions", "outliers", what
        should be said ("notes"), and by which labels the texts are of another kind than dev's ("unlike").
    """
    source, wanted = Path(path), asked or Asked()
    if isinstance(model, str | Path) or model is None:
        check(model)
    survey = _look(source, columns or Columns(), wanted, on_bad_row)
    survey.named = check_compared(wanted, survey.values, filter(None, survey.periods))
    opened = load(model) if isinstance(model, str | Path) or model is None else model
    if wanted.labels != "labels":
        opened = opened.coarser(wanted.labels)
    decisions = opened.deciding()
    cells = None if wanted.document else decisions.counted
    tally, sample = Tally(opened.labels, cells), Sample(wanted.seed)
    done = 0
    for window in stream(
        source, columns=columns, batch_size=WINDOW, on_bad_row="skip", skipped=SkippedRows()
    ):
        texts = list(window.texts)
        if wanted.document:
            probabilities = document_scores(opened, texts, wanted.document)
        else:
            probabilities = opened.probabilities(texts)
        decided = decisions.decide(probabilities)
        parts = survey.parts(window, wanted)
        tally.add(probabilities, decided, parts)
        sample.add(texts, decided, parts)
        done += len(window)
        if tick is not None:
            tick(min(done, survey.rows), survey.rows)
    if done != survey.rows:
        raise DataError(
            f"{source} had {survey.rows:,} rows at first and now {done:,}: it changed while read."
        )
    return _told(opened, source, wanted, survey, tally, sample)


# --- the first pass


@dataclass
class _Survey:
    """What a file holds: rows, values of the columns that make groups, periods."""

    rows: int = 0
    values: dict[str, Counter[str]] = field(default_factory=dict)
    dates: DateSurvey = field(default_factory=lambda: DateSurvey("month"))
    skipped: SkippedRows = field(default_factory=SkippedRows)
    notes: list[str] = field(default_factory=list)
    first: list[str] = field(default_factory=list)
    long: int = 0
    named: list[tuple[Part, Part]] = field(default_factory=list)

    @property
    def periods(self) -> Counter[date | None]:
        """Rows of each period; under None those without a date."""
        return self.dates.periods

    def groups(self, column: str) -> list[str]:
        """Return the values of a column that are told, the commonest first, then those to be compared."""
        common = [value for value, _ in self.values[column].most_common(MOST_GROUPS)]
        asked = [value for pair in self.named for of, value, _ in pair if of == column]
        return list(dict.fromkeys([*common, *asked]))

    def parts(self, window: Window, asked: Asked) -> list[list[Part]]:
        """Return to which parts each row of a window belongs."""
        told = {column: set(self.groups(column)) for column in asked.by}
        found: list[list[Part]] = []
        for row in window:
            own = [("", ""), *((one, _value(row.columns.get(one), told[one])) for one in asked.by)]
            parts: list[Part] = [(column, value, None) for column, value in own]
            if asked.time and (moment := self.dates.reader.read(row.columns.get(asked.time))):
                start = period_of(moment, asked.every)
                parts += [(column, value, start) for column, value in own]
            found.append(parts)
        return found


def _value(cell: Any, told: set[str] | None = None) -> str:
    text = " ".join(str(cell).split()) if cell is not None and cell == cell else ""
    return (text or NOTHING) if told is None or (text or NOTHING) in told else OTHER


def _look(source: Path, how: Columns, asked: Asked, on_bad_row: OnBadRow) -> _Survey:
    dates = DateSurvey(asked.every, asked.zone, asked.order)
    survey = _Survey(values={column: Counter() for column in asked.by}, dates=dates)
    kept = None if on_bad_row == "report" else survey.skipped
    named = (*asked.by, *([asked.time] if asked.time else []))
    names: dict[str, None] = {}  # of all windows: rows of JSON may lack what others have
    for window in stream(source, columns=how, on_bad_row=on_bad_row, skipped=kept, notes=survey.notes):
        names |= dict.fromkeys(window.names)
        survey.rows += len(window)
        survey.first += [text[:200] for text in window.texts[: max(200 - len(survey.first), 0)]]
        survey.long += sum(text.count(" ") >= _LONG for text in window.texts)
        for row in window if named else ():
            for column in asked.by:
                survey.values[column][_value(row.columns.get(column))] += 1
            if asked.time:
                dates.add(row.columns.get(asked.time))
        _check_groups(source, survey)
    if not survey.rows:
        raise DataError(f"{source} holds no rows that can be used.")
    if missing := next((name for name in named if name not in names), None):
        raise UsageError(f"{source}: {unknown_name('column', missing, names)}")
    if asked.time:
        _check_periods(asked, survey)
        survey.notes += dates.notes
    return survey


def _check_groups(source: Path, survey: _Survey) -> None:
    for column, values in survey.values.items():
        if len(values) > _MOST_VALUES:
            raise UsageError(
                f"{source}: column {column!r} has more than {_MOST_VALUES:,} values, which make no groups; "
                "name another."
            )


def _check_periods(asked: Asked, survey: _Survey) -> None:
    if not set(survey.periods) - {None}:
        raise UsageError(f"column {asked.time!r} holds no date that can be read; name another.")
    if len(survey.periods) > MOST_PERIODS:
        raise UsageError(
            f"the dates of {asked.time!r} fall into {len(survey.periods):,} periods of a {asked.every}, and "
            f"{MOST_PERIODS} can be told; take longer ones."
        )


# --- what is told


def _told(
    model: Model, source: Path, asked: Asked, survey: _Survey, tally: Tally, sample: Sample
) -> dict[str, Any]:
    shares = Shares(tally, asked)
    parts = {part: shares.told(part) for part in shares.parts}
    starts = sorted(one for one in survey.periods if one is not None)
    groups = {
        column: [
            value
            for value in dict.fromkeys((*survey.groups(column), OTHER))
            if (column, value, None) in parts
        ]
        for column in asked.by
    }

    def series(column: str = "", value: str = "") -> list[dict[str, Any]]:
        return [
            {
                "period": start.isoformat(),
                "name": period_name(start, asked.every),
                **parts[column, value, start],
            }
            for start in starts
            if (column, value, start) in parts
        ]

    unlike = shares.unlike()
    differences = shares.differences(list(compared(survey.named, asked.every, tally, groups, starts)))
    return {
        "file": source.name,
        "model": str(model.about.get("name", "")),
        "rows": survey.rows,
        "labels": list(tally.labels),
        "taxonomy": asked.labels,
        "single_label": model.single_label,
        "estimated": tally.cells is not None,
        "unlike": unlike,
        "document": asked.document,
        "all": parts[WHOLE],
        "groups": {
            column: [
                {"value": value, **parts[column, value, None], "periods": series(column, value)}
                for value in own
            ]
            for column, own in groups.items()
        },
        "every": asked.every if asked.time else None,
        "periods": series(),
        "gaps": [[period_name(one, asked.every) for one in gap] for gap in gaps(starts, asked.every)],
        "undated": survey.periods[None],
        "differences": differences,
        "tests": len(differences),
        "together": _together(tally),
        **sample.told(model, tally.labels),
        "words": sample_words(sample, groups, starts, asked.every),
        "skipped": survey.skipped.met,
        "skipped_rows": [{"where": row.where, "reason": row.reason} for row in survey.skipped],
        "notes": _notes(model, asked, survey, tally, unlike),
    }


def _notes(model: Model, asked: Asked, survey: _Survey, tally: Tally, unlike: list[str]) -> list[str]:
    cells = tally.cells
    said = [*survey.notes, *foreign(model.about, survey.first)]
    if asked.document:
        how = "mean score of its sentences" if asked.document == "mean" else "highest score of a sentence"
        said.append(
            f"each text is scored by sentence and has the {how}: what is known of the model's errors is of "
            "short texts, so that shares are plain counts"
        )
    elif cells is None:
        said.append(
            "the model does not know how it errs on dev, so that shares are plain counts, which are biased; "
            "train it again to have them estimated"
        )
    else:
        rare = [label for label, kept in zip(model.labels, cells.adjustable, strict=True) if not kept]
        if rare:
            said.append(
                f"too few dev texts hold {', '.join(rare)} for an estimate: only the plain count is given"
            )
    if unlike:
        what = "they score" if model.single_label else f"{', '.join(unlike)} score"
        said.append(
            f"these texts are of another kind than those by which the model's errors are known: {what} here "
            f"as in no mixture of them, and {'all' if model.single_label else 'these'} shares may be off by "
            "more than their intervals"
        )
    if survey.long and not asked.document:
        said.append(
            f"{survey.long:,} texts have more than {_LONG} words, of which the model may read only the "
            "beginning; scored by sentence (document) they count whole"
        )
    for part in dict.fromkeys(part for pair in survey.named for part in pair):
        if (rows := tally.counts[part].rows) < FEWEST_NAMED:
            said.append(
                f"{part_name(part, asked.every)} has {rows:,} texts, and nothing is compared with fewer than "
                f"{FEWEST_NAMED}"
            )
    if asked.time and survey.periods[None]:
        said.append(
            f"{survey.periods[None]:,} rows have no date that can be read: they are not in the time line"
        )
    return said


def _together(tally: Tally, most: int = 12) -> list[dict[str, Any]]:
    """Return pairs of labels given to one text, those that come together most beyond chance first."""
    rows, held, names = tally.counts[WHOLE].rows, tally.together, tally.labels
    chance = np.outer(np.diag(held), np.diag(held)) / rows
    pairs = [(first, second) for first, second in np.argwhere(np.triu(held, 1) >= _OFTEN).tolist()]
    pairs.sort(key=lambda pair: -held[pair] / chance[pair])
    return [
        {
            "labels": [names[one] for one in pair],
            "texts": int(held[pair]),
            "times_chance": round(float(held[pair] / chance[pair]), 3),
        }
        for pair in pairs[:most]
    ]
