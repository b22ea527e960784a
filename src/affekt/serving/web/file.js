// File: the emotions of a table of texts, by group and over time.

import { ask } from "./api.js";
import { colourOf } from "./colours.js";
import { beginning, counted, stepFor, timeOf, wilson } from "./counting.js";
import { download, el, showFault } from "./dom.js";
import { overTime } from "./plot.js";
import { readTable, toCsv } from "./tables.js";
import { labelSets } from "./type.js";

const TOGETHER = 64; // texts of a request
const AT_ONCE = 2; // requests
const GROUPS = 12; // shown, the largest
const LINES = 5; // emotions over time
const SOME = 30; // texts of a point in time, or longer times are taken
const FEW = 10; // texts, below which a group's shares say little

export function file(section, facts) {
  const input = el("input", { type: "file", id: "table", class: "visually-hidden", accept: ".csv,.tsv,.txt,.jsonl,.ndjson,.parquet" });
  const choose = el("button", { type: "button", class: "main", onclick: () => input.click() }, "Choose a file");
  const drop = el("div", { class: "drop" },
    el("p", {}, el("label", { for: "table" }, "Drop a file of posts here"), " (csv, tsv, jsonl, txt or parquet), or"), choose, input,
    el("p", { class: "note" }, "It is read in this browser; only its texts go to the service, which keeps none of them."));
  const setup = el("div", { hidden: true });
  const results = el("div");
  section.append(drop, setup, results);

  async function opened(chosen) {
    if (!chosen) return;
    showFault();
    setup.hidden = true;
    results.replaceChildren();
    try {
      const table = await readTable(chosen);
      if (!table.rows.length) throw new Error(`${chosen.name} holds no rows.`);
      setUp(setup, results, table, chosen.name, facts);
      setup.hidden = false;
    } catch (fault) {
      showFault(fault);
    }
  }

  input.addEventListener("change", () => { opened(input.files[0]); input.value = ""; });
  for (const name of ["dragover", "dragleave", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      drop.classList.toggle("over", name === "dragover");
      if (name === "drop") opened(event.dataTransfer.files[0]);
    });
  }
}

/** Ask which columns are what, and offer to begin. */
function setUp(setup, results, table, name, facts) {
  const choice = (none, chosen) => el("select", {},
    none && el("option", { value: "" }, none),
    ...table.columns.map((column, place) => el("option", { value: place, selected: place === chosen }, column)));
  const text = choice(null, longest(table));
  const group = choice("no groups", -1);
  const time = choice("no time", guessedTime(table, longest(table)));
  const sets = labelSets(facts);
  const begin = el("button", { class: "main" }, `Score ${table.rows.length.toLocaleString()} rows`);
  const stop = el("button", { type: "button", hidden: true }, "Stop");
  const bar = el("progress", { max: table.rows.length, value: 0, hidden: true, "aria-label": "Rows scored" });
  const told = el("p", { class: "note", role: "status" });
  const form = el("form", {},
    el("h2", {}, name),
    el("div", { class: "row" }, el("label", {}, "Text", text), el("label", {}, "Group by", group), el("label", {}, "Time", time),
      el("label", { hidden: !facts.label_sets.length }, "Labels", sets), begin, stop),
    table.left ? el("p", { class: "note" }, `${table.left.toLocaleString()} rows more are left out; affekt predict takes files of any size.`) : null,
    bar, told);
  setup.replaceChildren(form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const running = new AbortController();
    stop.onclick = () => running.abort();
    begin.disabled = true;
    stop.hidden = bar.hidden = false;
    showFault();
    results.replaceChildren();
    const texts = table.rows.map((row) => row[text.value].slice(0, facts.limits.characters));
    try {
      const answers = await scored(texts, sets.value, running.signal, (done) => {
        bar.value = done;
        told.textContent = `${done.toLocaleString()} of ${texts.length.toLocaleString()} rows`;
      });
      const rows = table.rows.map((cells, i) => ({ cells, ...answers[i] }));
      profile(results, { table, rows, name, group: group.value, time: time.value, labels: answers.labels });
      told.textContent = `${texts.length.toLocaleString()} rows are scored.`;
    } catch (fault) {
      told.textContent = "";
      if (fault.name === "AbortError") told.textContent = "Stopped.";
      else showFault(fault);
    } finally {
      begin.disabled = false;
      stop.hidden = bar.hidden = true;
    }
  });
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
  const order = [...labels].sort((a, b) => (all.counts.get(b) ?? 0) - (all.counts.get(a) ?? 0));
  const safe = el("input", { type: "checkbox" });
  const keep = el("button", {
    type: "button", onclick: () => {
      const columns = [...table.columns, "emotions", ...labels];
      const cells = rows.map((row) => [...row.cells, row.labels.join("|"), ...labels.map((label) => row.scores[label])]);
      download(name.replace(/\.\w+$/, "") + ".scored.csv", toCsv(columns, cells, { safe: safe.checked }), "text/csv");
    },
  }, "Keep the scored rows (csv)");
  place.replaceChildren(
    el("h2", {}, "All texts"),
    el("ul", { class: "bars", "aria-label": "Share of texts with each emotion" }, ...order.filter((label) => all.counts.has(label)).map((label) => shareBar(label, all))),
    el("p", { class: "note" }, "Shares of texts for which the model decides on an emotion, with 95 % intervals for the number of texts. ",
      "The model's own errors are not in them; affekt profile corrects for those."),
    el("div", { class: "row" }, keep, el("label", { class: "check" }, safe, "safe to open in a spreadsheet")));
  const some = order.filter((label) => all.counts.has(label));
  if (group !== "" && some.length) byGroup(place, rows, table.columns[group], Number(group), some.slice(0, 8));
  if (time !== "" && some.length) byTime(place, rows, table.columns[time], Number(time), some.slice(0, LINES));
}

function shareBar(label, { of, counts }) {
  const count = counts.get(label) ?? 0;
  const [low, high] = wilson(count, of);
  const percent = (share) => (share * 100).toFixed(1);
  return el("li", {}, el("span", { class: "name" }, label),
    el("svg", { "aria-hidden": "true", viewBox: "0 0 100 10", preserveAspectRatio: "none" },
      el("rect", { width: (count / of) * 100, height: 10, fill: colourOf(label) }),
      el("rect", { x: low * 100, width: Math.max((high - low) * 100, 0.4), y: 4, height: 2, fill: "currentColor" })),
    el("span", { class: "number", title: `${count} of ${of}; ${percent(low)} to ${percent(high)} %` }, `${percent(count / of)} %`));
}

function byGroup(place, rows, name, column, labels) {
  const groups = [...counted(rows, (row) => row.cells[column])].sort((a, b) => b[1].of - a[1].of);
  const cell = (group, label) => {
    const count = group.counts.get(label) ?? 0;
    const [low, high] = wilson(count, group.of).map((share) => Math.round(share * 100));
    return el("td", {}, `${Math.round((count / group.of) * 100)} `, el("span", { class: "more" }, `(${low}–${high})`));
  };
  place.append(
    el("h2", {}, `By ${name}`),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": `Emotions by ${name}` },
      el("table", {},
        el("caption", {}, "Percent of a group's texts with an emotion, and its 95 % interval"),
        el("thead", {}, el("tr", {}, el("th", { scope: "col" }, name), el("th", { scope: "col" }, "texts"), ...labels.map((label) => el("th", { scope: "col" }, label)))),
        el("tbody", {}, ...groups.slice(0, GROUPS).map(([key, group]) => el("tr", {},
          el("th", { scope: "row" }, key.slice(0, 60)), el("td", {}, group.of.toLocaleString(), group.of < FEW ? " (few)" : ""), ...labels.map((label) => cell(group, label))))))));
  if (groups.length > GROUPS) place.append(el("p", { class: "note" }, `${groups.length - GROUPS} smaller groups are not shown.`));
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
  const chart = el("div", { class: "plot", role: "img", "aria-label": `Share of texts with ${labels.join(", ")}, by ${step}` });
  place.append(chart, el("p", { class: "note" },
    `A point for every ${step} (UTC) that has texts, with 95 % intervals.`, lost ? ` ${lost.toLocaleString()} rows have no time that can be read.` : ""));
  overTime(chart, bins, labels);
}

/** Return the column with the longest texts. */
function longest({ columns, rows }) {
  const some = rows.slice(0, 200);
  const named = columns.findIndex((column) => /^(text|tweet|post|message|comment|content|body)$/i.test(column));
  if (named >= 0) return named;
  const lengths = columns.map((_, place) => some.reduce((sum, row) => sum + row[place].length, 0));
  return lengths.indexOf(Math.max(...lengths));
}

/** Return the first column that mostly holds times, or -1. */
function guessedTime({ columns, rows }, text) {
  const some = rows.slice(0, 50);
  return columns.findIndex((_, place) => place !== text && some.filter((row) => timeOf(row[place]) !== null).length > some.length * 0.8);
}
