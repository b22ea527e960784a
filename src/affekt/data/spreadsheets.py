"""Spreadsheets (.xlsx) as tables: the first sheet, read as it streams out of the archive."""

import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any
from xml.etree import ElementTree

from affekt.data.tables import Row, Table, distinct, in_batches, readable
from affekt.errors import DataError

_DATE_FORMATS = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}  # of Excel's own
_NOT_LETTERS = re.compile(r'"[^"]*"|\[[^\]]*\]|\\.')  # parts of a number format that mean themselves
_ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
_DAMAGED = (
    *(zipfile.BadZipFile, zlib.error, ElementTree.ParseError, KeyError, ValueError, IndexError, EOFError),
    *(OSError, RuntimeError, NotImplementedError, OverflowError),
)


@contextmanager
def open_spreadsheet(path: Path, size: int) -> Iterator[Table]:
    """Open the first sheet: its first row that holds something names the columns; days and times are text."""
    guarded = partial(readable, _DAMAGED, f"{path} can't be read as a spreadsheet")
    with guarded():
        book = zipfile.ZipFile(path)
    with book:
        with guarded():
            rows = _rows(book)
            header = next((cells for _, cells in rows if cells), None)
        if header is None:
            raise DataError(f"{path} is empty")
        columns = {place: str(name).strip() for place, name in header.items()}
        names = distinct(list(columns.values()), str(path))
        found = (Row(n, {columns[p]: cells.get(p) for p in columns}) for n, cells in rows if cells)
        yield Table(path.name, names, frozenset(), in_batches(found, size, guarded))


def _rows(book: zipfile.ZipFile) -> Iterator[tuple[int, dict[int, Any]]]:
    """Yield the number of each row of the first sheet and its cells by place; blank ones are left out."""
    workbook = _parsed(book, "xl/workbook.xml")
    link = next(_all(workbook, "sheet")).attrib[_LINK]
    links = _all(_parsed(book, "xl/_rels/workbook.xml.rels"), "Relationship")
    target = next(one.attrib["Target"] for one in links if one.attrib["Id"] == link)
    there = set(book.namelist())
    strings = []
    if "xl/sharedStrings.xml" in there:
        strings = [_text(one) for one in _all(_parsed(book, "xl/sharedStrings.xml"), "si")]
    dates = _date_styles(_parsed(book, "xl/styles.xml")) if "xl/styles.xml" in there else set()
    early = any(one.get("date1904") in ("1", "true") for one in _all(workbook, "workbookPr"))
    start = datetime(1904, 1, 1) if early else datetime(1899, 12, 30)
    number = 0
    with book.open(target.lstrip("/") if target.startswith("/") else f"xl/{target}") as sheet:
        for row in _streamed(sheet, "row"):
            number = int(row.get("r", number + 1))
            cells: dict[int, Any] = {}
            place = -1
            for cell in _all(row, "c"):
                place = _place(cell.get("r", "")) if cell.get("r") else place + 1
                value = _value(cell, strings, start if cell.get("s") in dates else None)
                if value not in (None, ""):
                    cells[place] = value
            yield number, cells


def _value(cell: ElementTree.Element, strings: list[str], start: datetime | None) -> Any:
    """Return what a cell holds; a number in the style of a date is one, counted in days from a start."""
    kind = cell.get("t", "n")
    if kind == "inlineStr":
        return _text(cell)
    content = next((one.text for one in _all(cell, "v")), None)
    if content is None:
        return None
    if kind == "s":
        return strings[int(content)]
    if kind == "b":
        return content == "1"
    if kind != "n":
        return _unescaped(content)
    number = float(content)
    if start is None:
        return int(number) if number.is_integer() else number
    moment = start + timedelta(milliseconds=round(number * 86_400_000))  # what Excel shows: sums of hours err
    return (moment.date() if number.is_integer() else moment).isoformat()


def _date_styles(styles: ElementTree.Element) -> set[str | None]:
    """Return the numbers of the styles that show a number as a date or a time."""
    formats = {int(one.attrib["numFmtId"]): one.get("formatCode", "") for one in _all(styles, "numFmt")}
    ours = {
        number for number, code in formats.items() if re.search("[ymdhs]", _NOT_LETTERS.sub("", code), re.I)
    }
    dates = ours | (_DATE_FORMATS - formats.keys())
    used = next(_all(styles, "cellXfs"), ElementTree.Element("none"))
    return {str(i) for i, one in enumerate(_all(used, "xf")) if int(one.get("numFmtId", 0)) in dates}


def _parsed(book: zipfile.ZipFile, name: str) -> ElementTree.Element:
    with book.open(name) as file:
        return ElementTree.parse(file).getroot()  # noqa: S314 - expat bounds what entities make


def _streamed(file: IO[bytes], tag: str) -> Iterator[ElementTree.Element]:
    """Yield the elements of a tag, and forget each afterwards."""
    events = ElementTree.iterparse(file, events=("start", "end"))  # noqa: S314
    parents: list[ElementTree.Element] = []
    for event, element in events:
        if event == "start":
            parents.append(element)
            continue
        parents.pop()
        if _local(element) == tag:
            yield element
            if parents:
                parents[-1].remove(element)


def _all(element: ElementTree.Element, tag: str) -> Iterator[ElementTree.Element]:
    return (one for one in element.iter() if _local(one) == tag)


def _local(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element) -> str:
    """Return a string, whose parts may differ in style; readings of Japanese signs are not part of it."""
    readings = {one for reading in _all(element, "rPh") for one in reading.iter()}
    return _unescaped("".join(one.text or "" for one in _all(element, "t") if one not in readings))


def _unescaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _place(reference: str) -> int:
    """Return a column's place, from 0.

    >>> _place("A1"), _place("AB12")
    (0, 27)
    """
    place = 0
    for letter in reference.rstrip("0123456789"):
        place = place * 26 + ord(letter.upper()) - ord("A") + 1
    return place - 1
