"""Files spoiled at random: what can't be read is one AffektError, whatever it holds."""

import csv
import gzip
import io
import json
import random
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.data.corpus import Columns, Corpus, stream
from affekt.errors import AffektError

KINDS = ["csv", "tsv", "jsonl", "json", "txt", "xlsx", "parquet", "csv.gz", "jsonl.gz"]
TEXTS = [
    *(
        "so very happy today",
        "",
        " ",
        "caf\u00e9 \U0001f642",
        "\u200b",
        "a\x00b",
        'she said "no"',
        "a,b\tc;d",
        "=1+1",
    ),
    *("two\nlines", "\r", "\u2028", "\ufeff", "x" * 3000, "7", "nan", "-0", "\ud83d"),
]
LABELS = ["joy", "fear", "joy,fear", "", "1", "0.5", "True", "[1]", "nan", "1e999", "\x00", "\ud83d"]
VALUES = [
    None,
    True,
    7,
    -1.5,
    float("nan"),
    float("inf"),
    2**70,
    [],
    ["joy"],
    [["joy"]],
    {},
    {"a": [None]},
    "joy",
]
OPTIONS = [
    {},
    {"labels": None},
    {"separator": ","},
    {"label_names": ["joy", "fear"]},
    {"label_columns": ["joy", "n"]},
    {"label_columns": ["joy"], "single_label": True},
    {"rater": "n", "id": "id"},
    {"unclear": "joy", "id": ""},
    {"split_column": "labels", "split": "dev"},
    {"text": "n", "labels": "text"},
    {"delimiter": ";", "quoted": False},
    {"encoding": "utf-16"},
    {"encoding": "shift_jis"},
]
PIECES = [
    *(
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x00",
        b"\x1a",
        b"\xe9",
        b'"',
        b"\n",
        b"\r",
        b",",
        b"\t",
        b"[",
        b"{",
        b"}",
        b"]",
    ),
    *(
        b"1e999",
        b"null",
        b"NaN",
        b"\\ud83d",
        b"PK\x03\x04",
        b"PAR1",
        b"<",
        b"</row>",
        b"&a;",
        b"-1",
        b"9" * 400,
    ),
    *(b"s", b"Sheet1", b'r="A0"', b'r="ZZZZZZZ9"', b't="s"', b'r="-5"'),
]
TYPES = [
    *(pa.string(), pa.binary(), pa.int64(), pa.float64(), pa.bool_(), pa.null(), pa.list_(pa.string())),
    *(pa.date32(), pa.date64(), pa.time64("ns"), pa.duration("s"), pa.duration("ns"), pa.list_(pa.date32())),
    *(pa.timestamp("s"), pa.timestamp("ns"), pa.timestamp("us", "Mars/Olympus"), pa.timestamp("ms", "UTC")),
]
SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
LINK = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def rows_of(draw):
    """A few rows, whose cells are now and then of any kind."""
    rows = []
    for number in range(draw.randrange(1, 8)):
        row = {"id": str(number), "text": f"text {number}", "labels": "joy", "joy": "1", "n": str(number)}
        for name, odd in (("text", TEXTS), ("labels", LABELS), ("joy", LABELS), ("n", TEXTS), ("id", TEXTS)):
            if draw.random() < 0.2:
                row[name] = draw.choice(odd)
        rows.append(row)
    return rows


def delimited(draw, rows, delimiter):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, escapechar="\\", quoting=draw.choice([0, 1]))
    usual = list(rows[0]) if rows else ["text"]
    writer.writerow(draw.choice([usual, usual, usual, ["Text", "n"], ["a post", "joy", ""]]))
    writer.writerows(list(row.values())[: draw.choice([9] * 9 + [2])] for row in rows)
    return text.getvalue()


def objects(draw, rows):
    for row in rows:
        if draw.random() < 0.3:
            row[draw.choice([*row, "new"])] = draw.choice(VALUES)
    return rows


def spreadsheet(draw, rows):
    """A small xlsx file, some of whose parts are spoiled before they are packed."""
    cells = [list(rows[0]) if rows else ["text"], *(list(row.values()) for row in rows)]
    clean = str.maketrans(dict.fromkeys("<>&\x00\ufeff\u2028\ud83d", "?"))
    written = "".join(
        "<row>"
        + "".join(
            f'<c t="{draw.choice(["str"] * 40 + ["n", "s", "b", "e", "d"])}"><v>{c.translate(clean)}</v></c>'
            for c in row
        )
        + "</row>"
        for row in cells
    )
    parts = {
        "xl/workbook.xml": f'<workbook xmlns:r="{LINK}"><sheets><sheet r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Rs><Relationship Id="r1" Target="worksheets/sheet1.xml"/></Rs>',
        "xl/worksheets/sheet1.xml": f'<w xmlns="{SHEET}"><sheetData>{written}</sheetData></w>',
        "xl/styles.xml": '<s><cellXfs><xf numFmtId="14"/></cellXfs></s>',
        "xl/sharedStrings.xml": "<sst><si><t>text</t></si></sst>",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as book:
        for name, content in parts.items():
            if draw.random() < 0.98:
                data = content.encode("utf-8", "replace")
                book.writestr(name, spoiled(draw, data) if draw.random() < 0.1 else data)
    return packed.getvalue()


def column(draw, length):
    """A parquet column of any type, its bits anything."""
    kind = draw.choice(TYPES)
    if pa.types.is_list(kind):
        inner = (
            pa.array(["joy"] * length)
            if kind.value_type == pa.string()
            else pa.array([10**7] * length, pa.int32())
        )
        return pa.ListArray.from_arrays(range(length + 1), inner.cast(kind.value_type))
    if pa.types.is_temporal(kind):
        bits = pa.int32() if pa.types.is_date32(kind) else pa.int64()
        most = 2**30 if bits == pa.int32() else draw.choice([10**6, 2**50])
        return pa.array([draw.randrange(-most, most) for _ in range(length)], bits).view(kind)
    values = {
        "string": TEXTS[:-1],
        "binary": [b"caf\xe9", b"a"],
        "int64": [7, None],
        "double": [1.0, float("nan")],
    }
    return pa.array([draw.choice(values.get(str(kind), [None])) for _ in range(length)], kind)


def content_of(draw, kind):
    rows = rows_of(draw)
    plain = kind.removesuffix(".gz")
    if plain == "xlsx":
        return spreadsheet(draw, rows)
    if plain == "parquet":
        n = max(len(rows), 1)
        names = ["text", *draw.sample(["labels", "joy", "n", "id", "x"], draw.randrange(5))]
        file = io.BytesIO()
        texts = pa.array(["so happy"] * n) if draw.random() < 0.7 else column(draw, n)
        pq.write_table(pa.table([texts, *(column(draw, n) for _ in names[1:])], names), file)
        return file.getvalue()
    if plain in ("csv", "tsv"):
        text = delimited(draw, rows, draw.choice([",", ",", ";", "\t"]) if plain == "csv" else "\t")
    elif plain == "txt":
        text = "\n".join(row["text"] for row in rows)
    else:
        text = (
            json.dumps(objects(draw, rows))
            if plain == "json"
            else "\n".join(map(json.dumps, objects(draw, rows)))
        )
    encoding = draw.choice(["utf-8", "utf-8", "utf-8-sig", "cp1252", "utf-16"])
    return text.encode(encoding, draw.choice(["replace", "xmlcharrefreplace"]))


def spoiled(draw, content):
    """Bytes with a few changed, put in, doubled or cut off."""
    data = bytearray(content)
    for _ in range(draw.randrange(1, 5)):
        place = draw.randrange(len(data) + 1)
        match draw.randrange(5):
            case 0:
                data[place : place + 1] = bytes([draw.randrange(256)])
            case 1:
                data[place:place] = draw.choice(PIECES)
            case 2:
                del data[place : place + draw.randrange(1, 30)]
            case 3:
                data[place:place] = data[place : place + draw.randrange(1, 60)]
            case _:
                data = data[:place] if draw.random() < 0.3 else data
    return bytes(data)


def read_all(path, draw):
    """Read a file both ways; whatever is raised but AffektError leaves."""
    bad = draw.choice(["fail", "skip", "report"])
    options = draw.choice(OPTIONS)
    try:
        corpus = Corpus.read(path, on_bad_row=bad, **options)
    except AffektError as fault:
        lines = str(fault).splitlines()
        if bad != "report" and len(lines) > 1:
            raise ValueError("a fault of several lines") from fault
    else:
        assert len(corpus.texts) == len(corpus.ids) == len(corpus.targets) > 0
        assert all(text.strip() for text in corpus.texts)
    columns = Columns(text=options.get("text", "text"), encoding=options.get("encoding"))
    try:
        for window in stream(path, on_bad_row=bad, columns=columns, whole=draw.random() < 0.5, batch_size=3):
            assert len(window) == len(window.texts) == len(window.ids) == len(window.numbers)
            assert all(bool(row.text) != (place in window.faults) for place, row in enumerate(window))
    except AffektError:
        pass


def try_files(folder, seeds):
    for seed in seeds:
        draw = random.Random(seed)
        kind = draw.choice(KINDS)
        content = content_of(draw, kind)
        content = spoiled(draw, content) if draw.random() < 0.6 else content
        if kind.endswith(".gz"):
            content = gzip.compress(content)
            content = spoiled(draw, content) if draw.random() < 0.3 else content
        path = folder / f"a.{kind}"
        path.write_bytes(content)
        try:
            read_all(path, draw)
        except Exception as fault:
            fault.add_note(f"seed {seed}, a {kind} file of {content[:300]!r}")
            raise


def test_a_few_hundred_odd_files(tmp_path):
    try_files(tmp_path, range(600))


@pytest.mark.slow
def test_thousands_of_odd_files(tmp_path):
    try_files(tmp_path, range(600, 12_000))
