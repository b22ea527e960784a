// File: the emotions of a table of texts, by group and over time.

import { ask } from "./api.js";
import { fileDrop, labelSets, local } from "./choices.js";
import { colourOf } from "./colours.js";
import { beginning, counted, stepFor, timeOf, wilson } from "./counting.js";
import { download, el, showFault } from "./dom.js";
import { bar } from "./parts.js";
import { overTime, percent } from "./plot.js";
import { guessedText, guessedTime, readTable, TABLES, toCsv } from "./tables.js";

const TOGETHER = 64; // texts of a request
const AT_ONCE = 2; // requests
const PREVIEWED = 3; // rows
const SHOWN = 12; // emotions, before all are asked for
const GROUPS = 12; // shown, the largest
const COLUMNS = 8; // emotions beside groups
const LINES = 8; // emotions over time
const DRAWN = 3; // of them at first
const SOME = 80; // texts of a point in time, or longer times are taken
const FEW = 10; // texts, below which a group's shares say little

export function file(section, facts) {
  const setup = el("div", { hidden: true });
  const results = el("div");
  const note = local()
    ? "Nothing leaves this machine: the file is read in this browser, and its texts go to the service that runs here."
    : `The file stays in this browser; only its texts go to the service at ${location.host}, and nowhere else.`;
  section.append(fileDrop("table", {
    title: "Drop a file of posts here: csv, tsv, jsonl, txt or parquet", types: TABLES, note,
    async opened(chosen) {
      setup.hidden = true;
      results.replaceChildren();
      const table = await readTable(chosen);
      if (!table.rows.length) throw new Error(`${chosen.name} holds no rows.`);
      setUp(setup, results, table, chosen.name, facts);
      setup.hidden = false;
    },
  }), setup, results);
}

/** Ask which columns are what, and offer to begin. */
function setUp(setup, results, table, name, facts) {
  const choice = (none, chosen) => el("select", {},
    none && el("option", { value: "" }, none),
    ...table.columns.map((column, place) => el("option", { value: place, selected: place === chosen }, column)));
  const text = choice(null, guessedText(table));
  const group = choice("no groups", -1);
  const time = choice("no time", guessedTime(table, guessedText(table)));
  const sets = labelSets(facts, "file-set");
  const begin = el("button", { class: "main" }, `Score ${table.rows.length.toLocaleString()} rows`);
  const stop = el("button", { type: "button", hidden: true }, "Stop");
  const done = el("progress", { max: table.rows.length, value: 0, hidden: true, "aria-label": "Rows scored" });
  const told = el("p", { class: "note", role: "status" });
  const preview = el("div");
  const showPreview = () => preview.replaceChildren(tableOf("Its first rows", table.columns, table.rows.slice(0, PREVIEWED), Number(text.value)));
  text.addEventListener("change", showPreview);
  showPreview();
  const form = el("form", {}, preview,
    el("div", { class: "row" }, el("label", {}, "Text", text), el("label", {}, "Group by", group), el("label", {}, "Time", time), sets.element, begin, stop),
    table.left ? el("p", { class: "note" }, `${table.left.toLocaleString()} rows more are left out; affekt predict takes files of any size.`) : null,
    done, told);
  setup.replaceChildren(form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const running = new AbortController();
    stop.onclick = () => running.abort();
    begin.disabled = true;
    stop.hidden = done.hidden = false;
    done.value = 0;
    showFault();
    results.replaceChildren();
    const texts = table.rows.map((row) => row[text.value].slice(0, facts.limits.characters));
    const began = performance.now();
    try {
      const answers = await scored(texts, sets.value, running.signal, (count) => {
        done.value = count;
        told.textContent = progress(count, texts.length, performance.now() - began);
      });
      const rows = table.rows.map((cells, i) => ({ cells, ...answers[i] }));
      profile(results, { table, rows, name, group: group.value, time: time.value, labels: answers.labels });
      told.textContent = `${texts.length.toLocaleString()} rows are scored.`;
    } catch (fault) {
      told.textContent = "";
      if (fault.name === "AbortError") told.textContent = "Stopped.";
      else showFault(fault);
    } finally {
      running.abort(); // what else is on its way
      begin.disabled = false;
      stop.hidden = done.hidden = true;
    }
  });
}

/** Say how far it is, and how long it will be. */
function progress(count, of, milliseconds) {
  const seconds = (milliseconds / count) * (of - count) / 1000;
  const left = seconds > 90 ? `${Math.round(seconds / 60)} minutes` : `${Math.max(Math.round(seconds), 1)} seconds`;
  return `${count.toLocaleString()} of ${of.toLocaleString()} rows${count < of && milliseconds > 2000 ? `, about ${left} left` : ""}`;
}

/** Score texts, some requests at a time; a busy service is waited for. */
async function scored(texts, set, signal, tick) {
  const answers = new Array(texts.length);
  let next = 0, done = 0;
  async function work() {
    while (next < texts.length) {
      const from = next;
      next += TOGETHER;
      const given = await ask("/v1/emotions", { texts: texts.slice(from, from + TOGETHER), label_set: set }, { signal, patient: true });
      given.answers.forEach((answer, i) => { answers[from + i] = answer; });
      answers.labels = given.model.labels;
      tick((done += given.answers.length));
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return answers;
}

/** Show what the texts hold as a whole. */
function profile(place, { table, rows, name, group, time, labels }) {
  const all = counted(rows, () => "all texts").get("all texts");
  const order = labels.filter((label) => all.counts.has(label)).sort((a, b) => all.counts.get(b) - all.counts.get(a));
  const felt = rows.filter((row) => row.labels.some((label) => label !== "neutral")).length;
  const groups = group === "" ? [] : [...counted(rows, (row) => row.cells[group])].sort((a, b) => b[1].of - a[1].of);
  place.replaceChildren(
    el("ul", { class: "tiles" }, tile("texts", rows.length.toLocaleString()), tile("hold an emotion", percent(felt / rows.length)),
      tile("commonest", order[0] ?? "none"), group === "" ? null : tile(`groups of ${table.columns[group]}`, groups.length.toLocaleString())),
    keeping(table, rows, name, labels),
    el("h2", {}, "All texts"),
    shares("Share of texts with each emotion", order, all),
    el("p", { class: "note" }, "Shares of texts for which the model decides on an emotion, with 95 % intervals for the number of texts. ",
      "The model's own errors are not in them; affekt profile corrects for those."));
  if (group !== "" && order.length) byGroup(place, groups, table.columns[group], order.slice(0, COLUMNS));
  if (time !== "" && order.length) byTime(place, rows, table.columns[time], Number(time), [...order].sort((a, b) => (a === "neutral") - (b === "neutral")).slice(0, LINES));
}

const tile = (name, value) => el("li", {}, el("span", { class: "value" }, value), el("span", { class: "more" }, name));

/** Offer the scored rows as files. */
function keeping(table, rows, name, labels) {
  const safe = el("input", { type: "checkbox" });
  const stem = `${name.replace(/\.\w+$/, "")}.scored`;
  const columns = [...table.columns, "emotions", ...labels];
  const cells = () => rows.map((row) => [...row.cells, row.labels.join("|"), ...labels.map((label) => row.scores[label])]);
  const asCsv = () => download(`${stem}.csv`, toCsv(columns, cells(), { safe: safe.checked }), "text/csv");
  const asParquet = async () => {
    const { parquetWriteBuffer } = await import("./vendor/parquet.js");
    const columnData = [
      ...table.columns.map((column, place) => ({ name: column, data: rows.map((row) => row.cells[place]), type: "STRING" })),
      { name: "emotions", data: rows.map((row) => row.labels.join("|")), type: "STRING" },
      ...labels.map((label) => ({ name: label, data: rows.map((row) => row.scores[label]), type: "FLOAT" })),
    ];
    download(`${stem}.parquet`, parquetWriteBuffer({ columnData: distinct(columnData) }), "application/vnd.apache.parquet");
  };
  return el("div", { class: "row" }, el("button", { type: "button", onclick: asCsv }, "Keep the scored rows (csv)"),
    el("button", { type: "button", onclick: asParquet }, "as parquet"),
    el("label", { class: "check" }, safe, "csv safe to open in a spreadsheet"));
}

/** Name columns apart: a file may have one that is called as an emotion is. */
function distinct(columns) {
  const seen = new Set();
  return columns.map((column) => {
    let { name } = column;
    while (seen.has(name)) name = `${name}_`;
    seen.add(name);
    return { ...column, name };
  });
}

/** Return bars of shares with their intervals, the first of them, and the rest where it is asked for. */
function shares(said, labels, { of, counts }) {
  const found = labels.map((label) => {
    const count = counts.get(label), [low, high] = wilson(count, of);
    return { label, count, low, high };
  });
  const most = Math.max(0.01, ...found.map(({ high }) => high));
  const list = (some) => el("ul", { class: "bars", "aria-label": said }, ...some.map(({ label, count, low, high }) => el("li", {},
    el("span", { class: "name" }, label), bar(count / of, colourOf(label), { most, low, high }),
    el("span", { class: "number", title: `${count.toLocaleString()} of ${of.toLocaleString()}; ${percent(low)} to ${percent(high)}` }, percent(count / of)))));
  if (!found.length) return el("p", {}, "The model decides on no emotion in any text.");
  const rest = found.slice(SHOWN);
  return el("div", { class: "card" }, list(found.slice(0, SHOWN)), rest.length ? el("details", {}, el("summary", {}, `${rest.length} rarer emotions`), list(rest)) : null);
}

function tableOf(caption, heads, rows, text = -1) {
  const kind = (place) => place === text ? "text" : null;
  return el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption),
      el("thead", {}, el("tr", {}, ...heads.map((head, place) => el("th", { scope: "col", class: kind(place) }, head)))),
      el("tbody", {}, ...rows.map((cells) => el("tr", {}, ...cells.map((cell, place) =>
        cell instanceof Element ? cell : el("td", { class: kind(place) }, cell.length > 200 ? `${cell.slice(0, 199)}…` : cell)))))));
}

function byGroup(place, groups, name, labels) {
  const cell = (group, label) => {
    const share = (group.counts.get(label) ?? 0) / group.of;
    const [low, high] = wilson(group.counts.get(label) ?? 0, group.of).map((end) => Math.round(end * 100));
    const made = el("td", { class: "tinted" }, `${Math.round(share * 100)} `, el("span", { class: "more" }, `(${low}–${high})`));
    made.style.backgroundColor = `color-mix(in srgb, ${colourOf(label)} ${Math.round(Math.min(share, 0.5) * 60)}%, transparent)`;
    return made;
  };
  const heads = [name, "texts", ...labels];
  const rows = groups.slice(0, GROUPS).map(([key, group]) => [
    el("th", { scope: "row" }, key.slice(0, 60)), el("td", {}, group.of.toLocaleString(), group.of < FEW ? " (few)" : ""), ...labels.map((label) => cell(group, label))]);
  const caption = "Percent of a group's texts with an emotion, and its 95 % interval";
  place.append(el("h2", {}, `By ${name}`), tableOf(caption, heads, rows));
  if (groups.length > GROUPS) place.append(el("p", { class: "note" }, `${(groups.length - GROUPS).toLocaleString()} smaller groups are not shown.`));
}

function byTime(place, rows, name, column, labels) {
  const timed = rows.map((row) => ({ ...row, at: timeOf(row.cells[column]) })).filter((row) => row.at !== null);
  place.append(el("h2", {}, `Over time, by ${name}`));
  if (timed.length < 2) {
    place.append(el("p", {}, `No times are read in ${name}; write them as 2026-03-01 or 2026-03-01T12:30:00Z.`));
    return;
  }
  const step = stepFor(timed.map((row) => row.at), SOME);
  const bins = [...counted(timed, (row) => beginning(row.at, step))].sort((a, b) => a[0] - b[0]);
  const lost = rows.length - timed.length;
  const chart = el("div", { class: "plot card" });
  const cells = bins.map(([time, { of, counts }]) => [new Date(time).toISOString().slice(0, step === "hour" ? 16 : 10).replace("T", " "), of.toLocaleString(),
    ...labels.map((label) => percent((counts.get(label) ?? 0) / of))]);
  place.append(chart, el("p", { class: "note" },
    `A point for every ${step} (UTC) that has texts, with 95 % intervals.`, lost ? ` ${lost.toLocaleString()} rows have no time that can be read.` : ""),
    el("details", {}, el("summary", {}, "As a table"), tableOf(`Shares by ${step}`, [step, "texts", ...labels], cells)));
  overTime(chart, bins, labels, `Share of texts with ${labels.join(", ")}, by ${step}`, { shown: DRAWN, utc: true });
}
