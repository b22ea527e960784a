"""Dates as people write them, and the periods they fall into."""

from datetime import UTC, date, datetime

import pytest

from affekt.data.dates import DateReader, DateSurvey, gaps, period_name, period_of, zone_named
from affekt.errors import UsageError


@pytest.mark.parametrize(
    "cell",
    [
        "2026-03-04",
        "20260304",
        "2026/03/04",
        "04/03/2026",
        "4.3.2026",
        "04-03-26",
        "4 Mar 2026",
        "4th March 2026",
        "March 4, 2026",
        "Wednesday, 4 March 2026",
        "2026-03-04T00:00:00Z",
        "2026-03-04T02:00:00+02:00",
        "Wed, 04 Mar 2026 00:00:00 GMT",
        "Wed Mar 04 00:00:00 +0000 2026",
        "1772582400",
        "1772582400.0",
        1772582400,
        1772582400000,
        "1772582400000000",
        date(2026, 3, 4),
        datetime(2026, 3, 4, tzinfo=UTC),
        "2026-3-4",
        "2026/3/4",
        "04-MAR-26",
        20260304,
        "20260304.0",
        "20260304000000",
        "202603040000",
        "1.7725824e+09",
        "2026-03-04T00:00:00Z[UTC]",
    ],
)
def test_one_day_in_many_forms(cell):
    assert DateReader().read(cell) == datetime(2026, 3, 4)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "3/4/5",
        "20261399",
        "1e99",
        "soon",
        None,
        True,
        float("nan"),
        "99/99/2026",
        "12",
        "0001-01-01",
        date(1, 1, 1),
        date(9999, 12, 31),
        10**25,
        "x" * 100,
        [1],
    ],
)
def test_what_is_no_date(cell):
    assert DateReader().read(cell) is None


@pytest.mark.parametrize(("cell", "hour"), [("4 Mar 2026 5:30 pm", 17), ("04/03/2026, 12:30 AM", 0)])
def test_clocks_are_read(cell, hour):
    assert DateReader().read(cell) == datetime(2026, 3, 4, hour, 30)


def test_whole_years_and_months_are_their_first_day():
    for cell in ("2026", 2026, 2026.0, "2026.0"):
        assert DateReader().read(cell) == datetime(2026, 1, 1)
    for cell in ("2026-03", "2026/3", "03/2026", "March 2026"):
        assert DateReader().read(cell) == datetime(2026, 3, 1)


@pytest.mark.parametrize(
    "cell",
    [
        "2026-03-31 23:30:00 UTC",
        "2026-03-31 23:30 +0000",
        "31/03/2026 23:30Z",
        "31/03/2026 11:30 PM GMT",
        "2026-03-31 18:30 EST",
        "2026-03-31 19:30:00 America/New_York",
        "Tuesday, March 31, 2026 11:30:00 PM GMT+00:00",
        "Wed Apr 01 2026 00:30:00 GMT+0100 (Central European Standard Time)",
        "2026-04-01T00:30:00+01:00[Africa/Lagos]",
    ],
)
def test_a_zone_that_is_written_after_a_time_counts(cell):
    assert DateReader(zone_named("Europe/Berlin")).read(cell) == datetime(2026, 4, 1, 1, 30)


def test_a_word_after_a_time_that_is_no_known_zone_is_passed_over():
    for word in ("Uhr", "XYZ", "Mars/Base"):
        assert DateReader().read(f"31.3.2026 23:30 {word}") == datetime(2026, 3, 31, 23, 30)


def test_times_with_a_zone_are_brought_into_one_and_others_stand():
    berlin = DateReader(zone_named("Europe/Berlin"))
    assert berlin.read("2026-03-31T23:30:00Z") == datetime(2026, 4, 1, 1, 30)
    assert berlin.read("2026-03-31 23:30") == datetime(2026, 3, 31, 23, 30)
    with pytest.raises(UsageError, match="'Mars/Base' is no time zone"):
        zone_named("Mars/Base")


@pytest.mark.parametrize(
    ("cells", "order", "month", "said"),
    [
        (["03/04/2026"], None, 4, "to read 03/04/2026 as 3 April is a guess"),
        (["03/04/2026", "31/04/2026"], None, 4, "as those with a number above 12 show"),
        (["03/04/2026", "04/31/2026"], None, 3, "read like 03/04/2026 as 4 March"),
        (["03/04/2026", "04/31/2026", "31/04/2026"], None, 4, "some dates have the day first and some"),
        (["03/04/2026"], "month-first", 3, ""),
        (["03-04-2026", "04-31-2026"], None, 3, "read like 03/04/2026 as 4 March"),
        (["03-04-2026"], None, 4, "is a guess"),
        (["03.04.2026"], None, 4, ""),
        (["03/03/2026", "2026-01-01"], None, 4, ""),
    ],
)
def test_which_comes_first_the_day_or_the_month_is_found_or_said(cells, order, month, said):
    survey = DateSurvey("month", order=order)
    for cell in cells:
        survey.add(cell)
    assert survey.reader.read("03/04/2026").month == month
    assert said in " ".join(survey.notes)
    assert bool(survey.notes) is bool(said)


def test_periods_are_counted_as_they_are_read():
    survey = DateSurvey("month")
    for cell in ("03/04/2026", "25/04/2026", "soon"):
        survey.add(cell)
    assert survey.periods == {date(2026, 4, 1): 2, None: 1}


@pytest.mark.parametrize(
    ("every", "start", "name"),
    [
        ("day", date(2026, 3, 4), "4 March 2026"),
        ("week", date(2026, 3, 2), "week of 2 March 2026"),
        ("month", date(2026, 3, 1), "March 2026"),
    ],
)
def test_a_time_falls_into_a_period(every, start, name):
    assert period_of(datetime(2026, 3, 4, 23), every) == start
    assert period_name(start, every) == name


def test_gaps_are_runs_of_missing_periods():
    assert gaps([date(2025, 12, 1), date(2026, 3, 1)], "month") == [(date(2026, 1, 1), date(2026, 2, 1))]
    assert gaps([date(2026, 3, 2), date(2026, 3, 9), date(2026, 3, 23)], "week") == [(date(2026, 3, 16),) * 2]
    assert gaps([date(2026, 3, 2)], "day") == gaps([], "day") == []
