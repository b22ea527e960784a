"""Files as people have them: other encodings, spreadsheets, JSON, plain lines, columns called otherwise."""

import json
import zipfile

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from affekt.data.corpus import Corpus, stream
from affekt.data.files import open_table
from affekt.errors import DataError


def values_of(path, **options):
    with open_table(path, **options) as table:
        return [(row.number, dict(row.values)) for row in table.rows], table.notes


# --- encodings


def test_a_file_that_is_not_utf8_is_read_as_cp1252_and_a_note_says_so(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes("text,labels\ncafé “soon”,joy\nplain,joy\n".encode("cp1252"))
    corpus = Corpus.read(path)
    assert corpus.texts == ["café “soon”", "plain"]
    assert corpus.notes == ("a.csv is not UTF-8: it is read as cp1252, unless you name its encoding",)
    notes = []
    list(stream(path, notes=notes))
    assert notes == list(corpus.notes)


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_utf8_file_with_a_damaged_byte_stays_utf8(tmp_path, start):
    (tmp_path / "a.csv").write_bytes(start + "text,labels\nfür,joy\n".encode() + b"caf\xe9,joy\n")
    with pytest.raises(DataError, match=r"a\.csv:3: column 'text' holds the byte 0xe9"):
        Corpus.read(tmp_path / "a.csv")


def test_the_first_odd_letter_may_come_late(tmp_path):
    for encoding in ("utf-8", "cp1252"):
        (tmp_path / "a.csv").write_text("text\n" + "plain\n" * 300_000 + "café\n", encoding=encoding)
        [*_, last] = Corpus.read(tmp_path / "a.csv", labels=None).texts
        assert last == "café"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8", "cp1252", "latin-1", "utf-32"])
@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json", "a.txt"])
def test_an_encoding_can_be_named(tmp_path, encoding, name):
    content = {"a.csv": "text\ncafé\n", "a.txt": "café\n", "a.jsonl": '{"text": "café"}\n'}
    (tmp_path / name).write_text(content.get(name, '[{"text": "café"}]'), encoding=encoding)
    corpus = Corpus.read(tmp_path / name, labels=None, encoding=encoding)
    assert (corpus.texts, corpus.notes) == (["café"], ())


def test_what_is_no_encoding_or_another_is_refused(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"text\nabc\n")
    with pytest.raises(DataError, match="'utf-9' is no encoding; name one such as utf-8"):
        Corpus.read(tmp_path / "a.csv", labels=None, encoding="utf-9")
    with pytest.raises(DataError, match="'hex' is no encoding"):
        Corpus.read(tmp_path / "a.csv", labels=None, encoding="hex")
    with pytest.raises(DataError, match="is damaged or cut off"):
        Corpus.read(tmp_path / "a.csv", labels=None, encoding="utf-16")


# --- json and plain lines


def test_a_list_of_objects_is_read_and_counted_by_entry(tmp_path):
    (tmp_path / "a.json").write_text(
        json.dumps([{"text": "a", "labels": ["joy"]}, {"text": "b", "labels": []}])
    )
    corpus = Corpus.read(tmp_path / "a.json")
    assert (corpus.texts, corpus.labels, corpus.ids) == (["a", "b"], ("joy",), ["1", "2"])


def test_json_with_an_object_a_line_is_read_by_line(tmp_path):
    (tmp_path / "a.json").write_text('{"text": "a"}\n\n{"text": "b"}\n')
    assert values_of(tmp_path / "a.json")[0] == [(1, {"text": "a"}), (3, {"text": "b"})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('[{"text": "a"}', r"a\.json is not JSON \(Expecting"),
        ("[" * 100_000, r"a\.json is not JSON"),
        ("[]", r"a\.json is empty"),
        ('[{"text": "a"}, 1]', r"a\.json:2: the entry holds a JSON int where an object is wanted"),
        ('{"text": "a"}\n"b"', r"a\.json:2: the line holds a JSON str"),
    ],
)
def test_other_json_is_refused(tmp_path, content, message):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(DataError, match=message):
        Corpus.read(tmp_path / "a.json", labels=None)


def test_plain_lines_are_texts_and_blank_ones_are_none(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"so happy, really\r\n\n  two  \r\nlast")
    rows, _ = values_of(tmp_path / "a.txt")
    assert rows == [(1, {"text": "so happy, really"}), (3, {"text": "  two  "}), (4, {"text": "last"})]


# --- spreadsheets


def write_xlsx(path, sheet, *, strings="", styles="", target="worksheets/sheet1.xml", workbook=""):
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    linked = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
    parts = {
        "xl/workbook.xml": f'<workbook {main} {linked}>{workbook}<sheets><sheet name="Posts" r:id="rId7"/>'
        '<sheet name="Other" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="rId1" Target="none.xml"/>'
        f'<Relationship Id="rId7" Target="{target}"/></Relationships>',
        "xl/worksheets/sheet1.xml": f"<worksheet {main}><sheetData>{sheet}</sheetData></worksheet>",
    }
    if strings:
        parts["xl/sharedStrings.xml"] = f"<sst {main}>{strings}</sst>"
    if styles:
        parts["xl/styles.xml"] = f"<styleSheet {main}>{styles}</styleSheet>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return path


POSTS = """
<row r="1"><c r="A1" t="s"><v>0</v></c><c r="B1" t="inlineStr"><is><t>labels</t></is></c>
<c r="C1" t="str"><v>n</v></c><c r="E1" t="str"><v>day </v></c></row>
<row r="3"><c r="A3" t="s"><v>1</v></c><c r="B3" t="str"><v>joy</v></c><c r="C3"><v>3</v></c>
<c r="E3" s="1"><v>45292</v></c></row>
<row r="4"><c r="A4" t="s"><v>2</v></c><c r="B4" t="str"><v>fear</v></c><c r="C4"><v>2.5</v></c>
<c r="D4" t="str"><v>no column</v></c><c r="E4" s="2"><v>45292.75</v></c></row>
<row r="5"><c r="A5"/><c r="C5"><v>1</v></c><c r="E5" t="b"><v>1</v></c></row>
"""
STRINGS = """<si><t>text</t></si><si><r><t>so </t></r><r><t>happy</t></r><rPh><t>x</t></rPh></si>
<si><t xml:space="preserve">two_x000A_lines </t></si>"""
STYLES = """<numFmts><numFmt numFmtId="164" formatCode="dd.mm.yyyy&quot;x&quot;"/>
<numFmt numFmtId="165" formatCode="0.0&quot;days&quot;"/></numFmts>
<cellXfs><xf numFmtId="0"/><xf numFmtId="164"/><xf numFmtId="22"/><xf numFmtId="165"/></cellXfs>"""


@pytest.mark.parametrize("target", ["worksheets/sheet1.xml", "/xl/worksheets/sheet1.xml"])
def test_the_first_sheet_of_a_spreadsheet_is_read_with_its_row_numbers(tmp_path, target):
    path = write_xlsx(tmp_path / "a.xlsx", POSTS, strings=STRINGS, styles=STYLES, target=target)
    rows, _ = values_of(path)
    assert rows == [
        (3, {"text": "so happy", "labels": "joy", "n": 3, "day": "2024-01-01"}),
        (4, {"text": "two\nlines ", "labels": "fear", "n": 2.5, "day": "2024-01-01T18:00:00"}),
        (5, {"text": None, "labels": None, "n": 1, "day": True}),
    ]
    with pytest.raises(DataError, match=r"a\.xlsx:5: column 'text' is empty"):
        Corpus.read(path)
    corpus = Corpus.read(path, on_bad_row="skip")
    assert (corpus.texts, corpus.labels) == (["so happy", "two\nlines "], ("fear", "joy"))


def test_a_midnight_that_was_summed_up_of_hours_is_of_the_next_day(tmp_path):
    names = '<row><c t="str"><v>text</v></c><c t="str"><v>day</v></c></row>'
    cells = "".join(f'<row><c t="str"><v>a</v></c><c s="0"><v>{45292 + part}</v></c></row>' for part in SUMS)
    path = write_xlsx(tmp_path / "a.xlsx", names + cells, styles='<cellXfs><xf numFmtId="22"/></cellXfs>')
    days = [row["day"] for _, row in values_of(path)[0]]
    assert days == ["2024-01-02T00:00:00", "2024-01-01T23:00:00", "2024-01-01T23:59:59.500000"]


SUMS = (1 - 1e-9, 23 / 24 + 1e-10, 1 - 0.5 / 86_400)


def test_cells_without_references_follow_each_other_and_days_may_count_from_1904(tmp_path):
    names = '<row><c t="str"><v>text</v></c><c t="str"><v>day</v></c></row>'
    sheet = f'{names}<row><c t="str"><v>a</v></c><c s="0"><v>1</v></c></row>'
    styles = '<cellXfs><xf numFmtId="14"/></cellXfs>'
    path = write_xlsx(tmp_path / "a.xlsx", sheet, styles=styles, workbook='<workbookPr date1904="1"/>')
    assert values_of(path)[0] == [(2, {"text": "a", "day": "1904-01-02"})]


def test_what_is_no_spreadsheet_or_has_no_rows_is_refused(tmp_path):
    path = tmp_path / "a.xlsx"
    path.write_bytes(b"PK\x03\x04rest")
    with pytest.raises(DataError, match=r"a\.xlsx can't be read as a spreadsheet: "):
        Corpus.read(path)
    with pytest.raises(DataError, match=r"a\.xlsx is empty"):
        Corpus.read(write_xlsx(path, '<row r="1"/>'))
    with pytest.raises(DataError, match="can't be read as a spreadsheet: list index out of range"):
        Corpus.read(write_xlsx(path, '<row r="1"><c r="A1" t="s"><v>7</v></c></row>'))
    write_xlsx(path, '<row><c t="str"><v>a</v></c><c t="str"><v>a</v></c></row>')
    with pytest.raises(DataError, match="more than one column named 'a'"):
        Corpus.read(path)


# --- the column with the texts


def test_the_one_column_of_texts_is_found_and_named(tmp_path):
    rows = "".join(f"Ann Lee,2024-01-0{i} 10:00 UTC,i am so happy about day {i},joy\n" for i in range(1, 6))
    path = tmp_path / "a.csv"
    path.write_text("author,created,Tweet,labels\n" + rows)
    corpus = Corpus.read(path)
    assert corpus.texts[0] == "i am so happy about day 1"
    assert corpus.notes == ("a.csv has no column 'text': texts are taken from 'Tweet'",)
    notes = []
    [window] = stream(path, notes=notes)
    assert (window.texts, tuple(notes)) == (corpus.texts, corpus.notes)
    pq.write_table(pa.table({"n": [1], "said": ["so very happy today"]}), tmp_path / "a.parquet")
    assert Corpus.read(tmp_path / "a.parquet", labels=None).texts == ["so very happy today"]


def test_columns_that_look_alike_are_named_and_refused(tmp_path):
    rows = "so very happy today,what a sad thing it is,7\n" * 3
    (tmp_path / "a.csv").write_text("title,body,n\n" + rows)
    with pytest.raises(
        DataError, match=r"a\.csv has no column 'text', and texts may stand in 'title', 'body'; name"
    ):
        Corpus.read(tmp_path / "a.csv", labels=None)
    assert Corpus.read(tmp_path / "a.csv", labels=None, text="body").notes == ()


def test_a_column_that_is_named_is_never_guessed(tmp_path):
    (tmp_path / "a.csv").write_text("said\nso very happy today\n")
    with pytest.raises(DataError, match="no column 'tweet'; its columns are 'said'"):
        Corpus.read(tmp_path / "a.csv", labels=None, text="tweet")


@pytest.mark.parametrize("content", ["a,b\n1,2\n", "when\n10:00 on 2024-01-01\n", "name\nAnn Lee\n", "a\n"])
def test_where_no_column_looks_like_texts_the_columns_are_told(tmp_path, content):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(DataError, match="no column 'text'; its columns are"):
        Corpus.read(tmp_path / "a.csv", labels=None)


# --- rows that can't be used, in their places


def test_rows_left_out_stand_in_their_places_when_asked_for(tmp_path):
    (tmp_path / "a.csv").write_text("id,text,n\nx,a,1\ny,,2\nz,b\nw,c,4\n")
    skipped = []
    [window] = stream(tmp_path / "a.csv", on_bad_row="skip", skipped=skipped, whole=True)
    assert (window.texts, window.ids, list(window.numbers)) == (
        ["a", "", "", "c"],
        ["x", "3", "4", "w"],
        [2, 3, 4, 5],
    )
    assert window.faults == {
        1: "column 'text' is empty",
        2: "the row has 2 fields where the header has 3",
    }
    assert window[1].columns == {"id": "y", "text": "", "n": "2"}
    assert window[2].columns == {"id": "z", "text": "b", "n": None}
    assert [row.where for row in skipped] == ["a.csv:3", "a.csv:4"]
    [plain] = stream(tmp_path / "a.csv", on_bad_row="skip")
    assert (plain.texts, plain.faults) == (["a", "c"], {})


def test_a_batch_of_nothing_but_bad_rows_is_there_too(tmp_path):
    (tmp_path / "a.csv").write_text("text,n\n,1\n,2\nc,3\n")
    windows = list(stream(tmp_path / "a.csv", on_bad_row="skip", whole=True, batch_size=2))
    assert [(window.texts, list(window.faults)) for window in windows] == [(["", ""], [0, 1]), (["c"], [])]
