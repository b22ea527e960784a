"""Dates as people write them, and the days, weeks and months they fall into."""

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from email.utils import parsedate_to_datetime
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo

from affekt.errors import UsageError

Every = Literal["day", "week", "month"]
Order = Literal["day-first", "month-first"]

_NUMBERS = re.compile(r"(\d{1,4})\s*([/.-])\s*(\d{1,2})\s*\2\s*(\d{1,4})(?:[T ,]+(\S.*))?$")
_MONTH = re.compile(r"(\d{4})[-/](\d{1,2})|(\d{1,2})[-/](\d{4})")
_SHORT = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_SHORT, start=1)}
_NAMED = re.compile(r"[a-z]+", re.IGNORECASE)
_CLOCK = re.compile(
    r"(?=\d{1,2}(?::\d|\s*[ap]\.?m))(\d{1,2})(?::(\d{2})(?::(\d{2})(?:\.\d+)?)?)?(?:\s*([ap])\.?m\b\.?)?",
    re.IGNORECASE,
)
# of times that end in a zone, also as JavaScript and Java write it: GMT+0100 (…), +01:00[Europe/Paris]
_ZONED = re.compile(
    r"(.*(?::\d\d(?:\.\d+)?|[ap]\.?m\b\.?))\s*(?:(?:GMT|UTC)?([+-])(\d\d):?(\d\d)|([A-Z]{1,4}|[A-Z]\w+/[\w/+-]+))"
    r"(?:\s*\([^()]*\)|\[[^\[\]]*\])?",
    re.IGNORECASE,
)
_NAMED_BY_HOURS = {0: "Z UT UTC GMT", -5: "EST CDT", -4: "EDT", -6: "CST MDT", -7: "MST PDT", -8: "PST"}
_NAMED_BY_HOURS |= {1: "BST CET", 2: "CEST", 9: "JST"}  # of others it is not sure
_HOURS = {name: hours for hours, names in _NAMED_BY_HOURS.items() for name in names.split()}
_FIRST, _LAST = 1900, 2200  # years
_UNITS = ((1e8, 1e11, 1), (1e11, 1e14, 1e3), (1e14, 1e17, 1e6), (1e17, 1e20, 1e9))  # of epoch times


def zone_named(name: str) -> tzinfo:
    """Return a time zone such as Europe/Berlin; UsageError where it is none."""
    try:
        return UTC if name.upper() == "UTC" else ZoneInfo(name)
    except (OSError, ValueError, KeyError) as fault:
        raise UsageError(
            f"{name!r:.60} is no time zone that is known here; name one such as Europe/Berlin or UTC."
        ) from fault


@dataclass(frozen=True)
class DateReader:
    """Reads cells as local times.

    Attributes:
        zone: Where times with a zone, and those counted from 1970, are brought; others are as they stand.
        day_first: Whether 03/04/2026 is in April.
    """

    zone: tzinfo = UTC
    day_first: bool = True

    def read(self, cell: Any) -> datetime | None:
        """Return the local time that a cell says; None where it says none."""
        found = cell if isinstance(cell, datetime | date) else _read(cell, self.day_first)
        if found is None:
            return None
        if not isinstance(found, datetime):
            found = datetime(found.year, found.month, found.day)
        if found.tzinfo is not None:
            try:
                found = found.astimezone(self.zone).replace(tzinfo=None)
            except (OverflowError, ValueError):
                return None
        return found if _FIRST <= found.year < _LAST else None


class DateSurvey:
    """The cells of a column, met before they are read: their form, and which periods they fall into.

    Where `order` is not given, a number above 12 shows which comes first, the day or the month.
    """

    def __init__(self, every: Every, zone: tzinfo = UTC, order: Order | None = None) -> None:
        self.every, self.zone, self.order = every, zone, order
        self._counted: dict[bool, Counter[date | None]] = {True: Counter(), False: Counter()}
        self._shown: Counter[str] = Counter()

    def add(self, cell: Any) -> None:
        """Meet a cell."""
        if isinstance(cell, str) and (found := _slashed(cell)):
            first, second = found
            self._shown["day"] += first > 12 >= second
            self._shown["month"] += second > 12 >= first
            self._shown["neither"] += first <= 12 and second <= 12 and first != second
        for day_first, counted in self._counted.items():
            moment = DateReader(self.zone, day_first).read(cell)
            counted[period_of(moment, self.every) if moment else None] += 1

    @property
    def reader(self) -> DateReader:
        """What reads these cells."""
        first = (
            self._shown["day"] >= self._shown["month"] if self.order is None else self.order == "day-first"
        )
        return DateReader(self.zone, first)

    @property
    def periods(self) -> "Counter[date | None]":
        """Cells of each period by its first day; under None those that say no date."""
        return self._counted[self.reader.day_first]

    @property
    def notes(self) -> list[str]:
        """What should be said of how the cells are read."""
        if not self._shown["neither"] or self.order is not None:
            return []
        shown = "03/04/2026 as 3 April" if self.reader.day_first else "03/04/2026 as 4 March"
        if self._shown["day"] and self._shown["month"]:
            return [f"some dates have the day first and some the month; where both could be: {shown}"]
        if self._shown["day"] or self._shown["month"]:
            return [f"dates are read like {shown}, as those with a number above 12 show"]
        return [f"no date shows whether its day or its month comes first: to read {shown} is a guess"]


def _slashed(cell: str) -> tuple[int, int] | None:
    """Return the first two numbers of a date such as 03/04/2026, of which either may be the day."""
    found = _NUMBERS.match(cell.strip())
    if not found or len(found[1]) > 2 or found[2] == ".":
        return None
    return int(found[1]), int(found[3])


def _read(cell: Any, day_first: bool) -> datetime | None:
    if isinstance(cell, bool) or cell is None:
        return None
    text = " ".join(str(cell).split())
    if re.fullmatch(r"-?\d+(\.0+|(\.\d+)?e\+?\d\d?)", text, re.IGNORECASE):  # as tables write whole numbers
        text = f"{float(text):.0f}"
    try:
        return _written(text, day_first) if len(text) <= 80 else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


@lru_cache(maxsize=4096)
def _written(text: str, day_first: bool) -> datetime | None:
    if text.isdecimal() and len(text) != 8:
        return _digits(text)
    if month := _MONTH.fullmatch(text):
        return datetime(int(month[1] or month[4]), int(month[2] or month[3]), 1)
    if re.fullmatch(r"-?\d{9,19}(\.\d+)?", text):
        return _counted(float(text))
    zoned = _ZONED.fullmatch(text)
    zone = _zone(zoned) if zoned else None
    if zoned and zone and (found := _written(zoned[1], day_first)):
        return found.replace(tzinfo=zone)
    noon = re.search(r"\d\s*[ap]\.?m\b", text, re.IGNORECASE)  # which mail dates do not know
    readers: list[Callable[[str], datetime]] = [datetime.fromisoformat]
    for read in readers if noon else [*readers, parsedate_to_datetime, _twitter]:
        try:
            return read(text)
        except (ValueError, TypeError, IndexError):
            continue
    return _numbered(text, day_first) or _spoken(text)


def _zone(ended: re.Match[str]) -> tzinfo | None:
    """Return the zone that a time ends in; None where it is not known."""
    _, sign, hours, minutes, name = ended.groups()
    if sign:
        away = timedelta(hours=int(hours), minutes=int(minutes))
        return timezone(-away if sign == "-" else away)
    if name.upper() in _HOURS:
        return timezone(timedelta(hours=_HOURS[name.upper()]))
    try:
        return zone_named(name) if "/" in name else None
    except UsageError:
        return None


def _digits(text: str) -> datetime | None:
    """Return the time of 2026, 202603041730, 20260304173000, or of seconds and their parts since 1970."""
    form = {4: "%Y", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}.get(len(text), "")
    try:
        found = datetime.strptime(text, form)
    except ValueError:
        found = None
    if found and _FIRST <= found.year < _LAST:
        return found
    return _counted(float(text)) if len(text) <= 19 else None


def _twitter(text: str) -> datetime:
    return datetime.strptime(text, "%a %b %d %H:%M:%S %z %Y")


def _counted(number: float) -> datetime | None:
    """Return the time that seconds since 1970, or thousandths or millionths of them, say."""
    for low, high, unit in _UNITS:
        if low <= abs(number) < high:
            return datetime.fromtimestamp(0, UTC) + timedelta(seconds=number / unit)
    return None


def _numbered(text: str, day_first: bool) -> datetime | None:
    """Return the time of 2026/03/04, 4.3.2026, 03/04/2026 or 3-4-26, with or without a clock."""
    found = _NUMBERS.match(text)
    if not found or max(len(found[1]), len(found[4])) < 2:
        return None
    one, two, three = int(found[1]), int(found[3]), int(found[4])
    if len(found[1]) == 4:
        year, month, day = one, two, three
    else:
        year = three if len(found[4]) > 2 else _year(three)
        first = one > 12 or (two <= 12 and (day_first or found[2] == "."))
        day, month = (one, two) if first else (two, one)
    return _at(year, month, day, found[5] or "")


def _spoken(text: str) -> datetime | None:
    """Return the time of 2 Mar 2026, March 2, 2026 or Monday, 2nd March 2026 17:30."""
    clock = _CLOCK.search(text)
    rest = text.replace(clock[0], " ", 1) if clock else text
    months = [_MONTHS[word[:3].lower()] for word in _NAMED.findall(rest) if word[:3].lower() in _MONTHS]
    numbers = re.findall(r"\d+", rest)
    years = [int(one) for one in numbers if len(one) == 4]
    days = [int(one) for one in numbers if len(one) <= 2]
    if not years and len(days) == 2 and len(numbers[-1]) == 2:  # 3-Mar-26
        years = [_year(days.pop())]
    if len(months) != 1 or len(years) != 1 or len(days) > 1:
        return None
    return _at(years[0], months[0], days[0] if days else 1, clock[0] if clock else "")


def _year(short: int) -> int:
    return short + (2000 if short < 70 else 1900)


def _at(year: int, month: int, day: int, clock: str) -> datetime:
    found = _CLOCK.match(clock)
    hour, minute, second = (int(found[at] or 0) for at in (1, 2, 3)) if found else (0, 0, 0)
    if found and found[4]:
        hour = hour % 12 + (12 if found[4].lower() == "p" else 0)
    return datetime(year, month, day, hour, minute, second)


# --- periods


def period_of(moment: datetime, every: Every) -> date:
    """Return the first day of the day, week (from Monday) or month that a time falls into."""
    day = moment.date()
    if every == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if every == "week" else day


def next_period(start: date, every: Every) -> date:
    """Return the first day of the period after the one that starts so."""
    if every == "month":
        return (start.replace(day=28) + timedelta(days=4)).replace(day=1)
    return start + timedelta(days=7 if every == "week" else 1)


def period_name(start: date, every: Every) -> str:
    """Return how a period is called.

    >>> period_name(date(2026, 3, 1), "month"), period_name(date(2026, 3, 2), "week")
    ('March 2026', 'week of 2 March 2026')
    """
    if every == "month":
        return f"{start:%B} {start.year}"
    return f"{'week of ' if every == 'week' else ''}{start.day} {start:%B} {start.year}"


def gaps(starts: Iterable[date], every: Every) -> list[tuple[date, date]]:
    """Return first and last of each run of periods that are missing between others, in order."""
    ordered = sorted(set(starts))
    missing = []
    for before, after in pairwise(ordered):
        first = next_period(before, every)
        if first < after:
            last = period_of(datetime.combine(after - timedelta(days=1), datetime.min.time()), every)
            missing.append((first, last))
    return missing
