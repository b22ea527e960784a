// Tables from files, read in the browser: csv, tsv, jsonl and parquet; and csv to write.

import { timeOf } from "./counting.js";

export const TABLES = ".csv,.tsv,.txt,.jsonl,.ndjson,.parquet";
const MANY = 200_000; // rows

/** Return {columns, rows, left} of a file: names, a list of lists of strings, and rows left out. */
export async function readTable(file) {
  const name = file.name.toLowerCase();
  if (name.endsWith(".parquet")) return fromParquet(file);
  const text = (await file.text()).replace(/^\ufeff/, "");
  if (/\.(jsonl|ndjson)$/.test(name)) return fromRecords(text.split("\n").filter((line) => line.trim()).map(parsedLine));
  if (name.endsWith(".txt")) return bounded(["text"], text.split(/\r?\n/).filter((line) => line.trim()).map((line) => [line]));
  return fromCsv(text);
}

function parsedLine(line, place) {
  let held;
  try {
    held = JSON.parse(line);
  } catch {
    throw new Error(`Line ${place + 1} is not JSON; each line of a jsonl file is an object.`);
  }
  if (typeof held !== "object" || held === null) throw new Error(`Line ${place + 1} is no object.`);
  return held;
}

function fromRecords(records) {
  const columns = [...new Set(records.slice(0, 1000).flatMap((record) => Object.keys(record)))];
  return bounded(columns, records.map((record) => columns.map((column) => shown(record[column]))));
}

async function fromParquet(file) {
  const { parquetReadObjects } = await import("./vendor/parquet.js");
  const source = { byteLength: file.size, slice: (start, end) => file.slice(start, end).arrayBuffer() };
  try {
    return fromRecords(await parquetReadObjects({ file: source, rowEnd: MANY + 1 }));
  } catch (fault) {
    throw new Error(`The parquet file cannot be read here (${fault.message}); save it uncompressed or with snappy, or as csv.`);
  }
}

const shown = (value) => value == null ? "" : value instanceof Date ? value.toISOString() : typeof value === "object"
  ? JSON.stringify(value, (_, held) => typeof held === "bigint" ? String(held) : held) : String(value);

/** Return the table of a csv, whose first line names the columns. */
export function fromCsv(text) {
  const first = text.slice(0, text.search(/[\r\n]|$/));
  const [delimiter] = [",", ";", "\t", "|"].sort((a, b) => first.split(b).length - first.split(a).length);
  const lines = parseCsv(text, delimiter);
  const columns = (lines.shift() ?? []).map((name, place) => name.trim() || `column ${place + 1}`);
  if (!columns.length) throw new Error("The file is empty.");
  return bounded(columns, lines.map((line) => columns.map((_, place) => line[place] ?? "")));
}

/** Return the cells of a csv, in which quoted cells hold delimiters, line ends and doubled quotes. */
export function parseCsv(text, delimiter = ",") {
  const lines = [];
  let line = [], cell = "", place = 0;
  const ended = () => { if (line.length || cell) { line.push(cell); lines.push(line); } line = []; cell = ""; };
  while (place < text.length) {
    const sign = text[place];
    if (sign === '"' && cell === "") {
      for (;;) {
        const end = text.indexOf('"', place + 1);
        if (end < 0) { cell += text.slice(place + 1); place = text.length; break; }
        cell += text.slice(place + 1, end);
        place = end + 1;
        if (text[place] !== '"') break;
        cell += '"';
      }
    } else if (sign === delimiter) { line.push(cell); cell = ""; place++; }
    else if (sign === "\n" || sign === "\r") { ended(); place += sign === "\r" && text[place + 1] === "\n" ? 2 : 1; }
    else { cell += sign; place++; }
  }
  ended();
  return lines;
}

function bounded(columns, rows) {
  return { columns, rows: rows.slice(0, MANY), left: Math.max(rows.length - MANY, 0) };
}

/** Return rows as csv; `safe` puts ' before cells that a spreadsheet would run. */
export function toCsv(columns, rows, { safe = false } = {}) {
  const cell = (value) => {
    let text = String(value ?? "");
    if (safe && /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text))) text = `'${text}`;
    return /[",\r\n]/.test(text) || text === "" ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return [columns, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}

/** Return the column with texts: by its name, or else the one with the longest. */
export function guessedText({ columns, rows }) {
  const some = rows.slice(0, 200);
  const named = columns.findIndex((column) => /^(text|tweet|post|message|comment|content|body)$/i.test(column));
  if (named >= 0) return named;
  const lengths = columns.map((_, place) => some.reduce((sum, row) => sum + row[place].length, 0));
  return lengths.indexOf(Math.max(...lengths));
}

/** Return the first column that mostly holds times, or -1. */
export function guessedTime({ columns, rows }, text) {
  const some = rows.slice(0, 50);
  return columns.findIndex((_, place) => place !== text && some.filter((row) => timeOf(row[place]) !== null).length > some.length * 0.8);
}
