// Map: texts as points, near where they feel alike; what a part of it holds; search.

import { ask } from "./api.js";
import { colourOf } from "./colours.js";
import { el, showFault } from "./dom.js";
import { Points, projected } from "./points.js";
import { readTable } from "./tables.js";

const MOST = 5_000; // texts that are placed here; a table with x and y may hold more
const TOGETHER = 64;
const LISTED = 60;

export function map(section, facts) {
  const input = el("input", { type: "file", id: "map-table", class: "visually-hidden", accept: ".csv,.tsv,.txt,.jsonl,.ndjson,.parquet" });
  const choose = el("button", { type: "button", class: "main", onclick: () => input.click() }, "Choose a file");
  const told = el("p", { class: "note", role: "status" },
    `The first ${MOST.toLocaleString()} texts of a file are placed by their two directions of largest spread; a table that has x and y is shown as it is.`);
  const board = el("div", { class: "board", hidden: true });
  section.append(el("div", { class: "row" }, el("label", { for: "map-table", class: "visually-hidden" }, "A file of texts to map"), input, choose), told, board);
  input.addEventListener("change", async () => {
    const [chosen] = input.files;
    input.value = "";
    if (!chosen) return;
    showFault();
    choose.disabled = true;
    try {
      const texts = await placed(await readTable(chosen), facts, (words) => { told.textContent = words; });
      board.hidden = false;
      show(board, texts, facts);
      told.textContent = `${texts.length.toLocaleString()} texts of ${chosen.name}.`;
    } catch (fault) {
      showFault(fault);
    } finally {
      choose.disabled = false;
    }
  });
}

/** Return [{text, labels, x, y, vector?}] of a table. */
async function placed({ columns, rows }, facts, tell) {
  const column = (...names) => columns.findIndex((name) => names.includes(name.toLowerCase()));
  const text = Math.max(column("text", "tweet", "post", "message", "content"), 0);
  const [x, y, label] = [column("x"), column("y"), column("emotions", "labels", "label", "emotion", "predicted")];
  const point = (row) => ({ text: row[text], labels: label < 0 || !row[label] ? [] : row[label].split(/[|;,]/), x: Number(row[x]), y: Number(row[y]) });
  if (x >= 0 && y >= 0) return rows.map(point).filter((one) => Number.isFinite(one.x) && Number.isFinite(one.y));
  const texts = rows.map((row) => row[text].slice(0, facts.limits.characters)).filter((one) => one.trim()).slice(0, MOST);
  if (!texts.length) throw new Error("The file holds no texts.");
  const found = [];
  for (let from = 0; from < texts.length; from += TOGETHER) {
    const some = texts.slice(from, from + TOGETHER);
    const { answers } = await ask("/v1/emotions", { texts: some, vectors: true, top: 1 }, { patient: true });
    found.push(...answers.map((answer, i) => ({ text: some[i], labels: answer.labels, best: Object.keys(answer.scores)[0], vector: answer.vector })));
    tell(`${found.length.toLocaleString()} of ${texts.length.toLocaleString()} texts`);
  }
  const at = projected(found.map((one) => one.vector));
  return found.map((one, i) => ({ ...one, x: at.x[i], y: at.y[i] }));
}

function show(board, texts, facts) {
  const canvas = el("canvas", { class: "points", "aria-hidden": "true" });
  const overlay = el("canvas", { class: "points over", tabindex: "0", role: "application", "aria-label": "Map of texts. Arrow keys move, plus and minus zoom, 0 shows all, Enter lists what is in view." });
  const results = el("div", { "aria-live": "polite" });
  const look = (index) => colourOf(texts[index].labels[0] ?? texts[index].best ?? "");
  const choose = (indices) => {
    points.paint(look, indices.length ? new Set(indices) : null);
    results.replaceChildren(...(indices.length ? held(texts, indices) : []));
  };
  const lasso = el("button", { type: "button", "aria-pressed": "false", onclick: () => { points.lasso = !points.lasso; lasso.setAttribute("aria-pressed", points.lasso); } }, "Lasso");
  const clear = el("button", { type: "button", onclick: () => { choose([]); points.home(); } }, "Show all");
  const words = el("input", { type: "search", id: "map-words", placeholder: "waiting for a reply" });
  const emotion = el("select", {}, el("option", { value: "" }, "any"), ...facts.labels.map((label) => el("option", {}, label)));
  const search = el("form", { class: "row" }, el("label", {}, "Near a text", words), el("label", {}, "With", emotion), el("button", {}, "Find"), lasso, clear);
  search.addEventListener("submit", async (event) => {
    event.preventDefault();
    showFault();
    try {
      choose(await found(texts, words.value.trim(), emotion.value));
    } catch (fault) {
      showFault(fault);
    }
  });
  board.replaceChildren(search, el("div", { class: "stack" }, canvas, overlay),
    el("p", { class: "note" }, "Drag to move, scroll to zoom; hold shift, or press Lasso, to draw round texts. A colour is a family of emotions."), results);
  const points = new Points(canvas, overlay, choose);
  points.set(texts.map((one) => one.x), texts.map((one) => one.y));
  points.paint(look);
}

/** Return the texts nearest to some words, of those with an emotion; by their letters where there are no vectors. */
async function found(texts, words, emotion) {
  let some = texts.map((_, i) => i).filter((i) => !emotion || texts[i].labels.includes(emotion));
  if (words && !texts[0].vector) some = some.filter((i) => texts[i].text.toLowerCase().includes(words.toLowerCase()));
  else if (words) {
    const [vector] = await ask("/embed", { inputs: [words] }, { patient: true });
    const near = (i) => texts[i].vector.reduce((sum, value, d) => sum + value * vector[d], 0);
    const score = new Map(some.map((i) => [i, near(i)]));
    some = some.sort((a, b) => score.get(b) - score.get(a)).slice(0, LISTED);
  }
  if (!some.length) throw new Error("No text is like that.");
  return some;
}

/** Say what a selection holds: emotions, words it has more than the others, texts. */
function held(texts, indices) {
  const counts = new Map();
  for (const i of indices) for (const label of texts[i].labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const share = ([label, count]) => `${label} ${Math.round((count / indices.length) * 100)} %`;
  return [
    el("h2", {}, `${indices.length.toLocaleString()} texts`),
    el("p", {}, [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8).map(share).join(" · ") || "No emotion is decided on."),
    el("p", {}, el("strong", {}, "More than elsewhere: "), commoner(texts, new Set(indices)).join(", ") || "no word"),
    el("ul", {}, ...indices.slice(0, LISTED).map((i) => el("li", {}, texts[i].text.slice(0, 300), texts[i].labels.length ? el("span", { class: "more" }, ` ${texts[i].labels.join(", ")}`) : null))),
  ];
}

function commoner(texts, chosen) {
  const counts = new Map();
  texts.forEach(({ text }, i) => {
    for (const word of new Set(text.toLowerCase().match(/[\p{L}']{3,}/gu) ?? [])) {
      const pair = counts.get(word) ?? [0, 0];
      pair[chosen.has(i) ? 0 : 1]++;
      counts.set(word, pair);
    }
  });
  const [of, others] = [chosen.size, texts.length - chosen.size];
  const odds = ([inside, outside]) => Math.log((inside + 0.5) / (of - inside + 0.5)) - Math.log((outside + 0.5) / (others - outside + 0.5));
  const sure = ([inside, outside]) => odds([inside, outside]) / Math.sqrt(1 / (inside + 0.5) + 1 / (outside + 0.5));
  return [...counts].filter(([, pair]) => pair[0] > 1 && sure(pair) > 1.96).sort((a, b) => sure(b[1]) - sure(a[1])).slice(0, 12).map(([word]) => word);
}
