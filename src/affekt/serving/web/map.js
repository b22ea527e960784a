// Map: texts as points, near where they feel alike; made here, or opened.

import { ask } from "./api.js";
import { board, byCategory, byTime, clusterNames } from "./board.js";
import { fileDrop, local } from "./choices.js";
import { timeOf } from "./counting.js";
import { download, el } from "./dom.js";
import { fromPage, fromTable, toParquet } from "./saved.js";
import { guessedText, guessedTime, readTable, TABLES } from "./tables.js";

const MOST = 10_000; // texts that are placed here; saved maps may hold more
const TOGETHER = 64; // texts of a request
const CLUSTERS = 12;
const CATEGORIES = 40; // a column with more of them colours nothing

export function map(section, facts) {
  const told = el("p", { class: "note", role: "status" });
  const done = el("progress", { max: 1, value: 0, hidden: true, "aria-label": "Texts placed" });
  const place = el("div", { class: "board", hidden: true });
  const where = local() ? "Nothing leaves this machine." : `Texts go to the service at ${location.host}, and nowhere else.`;
  section.append(fileDrop("map-table", {
    title: "Drop texts to place, or a saved map",
    types: `${TABLES},.html,.htm`,
    note: `Of a table of texts the first ${MOST.toLocaleString()} are placed here. A saved map is a table with x and y, kept here or written by affekt map, of up to 200,000 texts. ${where}`,
    still: where,
    async opened(file) {
      place.hidden = true;
      done.hidden = false;
      try {
        const made = /\.html?$/i.test(file.name) ? fromPage(await file.text(), file.name) : await ofTable(await readTable(file), file.name, facts, (words, share) => {
          told.textContent = words;
          done.value = share;
        });
        place.hidden = false;
        show(place, made);
      } finally {
        done.hidden = true;
        told.textContent = "";
      }
    },
  }), done, told, place);
}

/** Return the map of a table: as it has it, or made of its texts. */
async function ofTable(table, name, facts, tell) {
  const made = fromTable(table) ?? await placed(table, facts, tell);
  const time = guessedTime(table, guessedText(table));
  return { name, columns: table.columns, cells: made.rows, time, times: time < 0 ? null : made.rows.map((row) => timeOf(row[time]) ?? NaN), ...made };
}

/** Place the texts of a table: their vectors come from the service, their places from a worker. */
async function placed(table, facts, tell) {
  const text = guessedText(table);
  const rows = table.rows.filter((row) => row[text].trim()).slice(0, MOST);
  if (!rows.length) throw new Error("The file holds no texts.");
  const texts = rows.map((row) => row[text].slice(0, facts.limits.characters)), labels = [], best = [];
  const vectors = new Float32Array(texts.length * facts.dimension);
  for (let from = 0; from < texts.length; from += TOGETHER) {
    const { answers } = await ask("/v1/emotions", { texts: texts.slice(from, from + TOGETHER), vectors: true, top: 1 }, { patient: true });
    answers.forEach((answer, i) => {
      labels.push(answer.labels);
      best.push(answer.labels[0] ?? "none");
      vectors.set(answer.vector, (from + i) * facts.dimension);
    });
    tell(`${labels.length.toLocaleString()} of ${texts.length.toLocaleString()} texts are read`, labels.length / texts.length / 2);
  }
  const { x, y, neighbours, cluster } = await inWorker({ vectors, count: texts.length, clusters: CLUSTERS }, ({ doing, share }) => tell(doing, 0.5 + share / 2));
  return { rows, texts, labels, best, x, y, neighbours, cluster, vectors };
}

function inWorker(task, tell) {
  const worker = new Worker("/web/placing.js", { type: "module" });
  return new Promise((done, failed) => {
    worker.onmessage = ({ data }) => data.x ? done(data) : tell(data);
    worker.onerror = () => failed(new Error("The texts could not be placed; this browser runs no module workers."));
    worker.postMessage(task);
  }).finally(() => worker.terminate());
}

/** Show a map, and what can be done with it here. */
function show(place, made) {
  const { texts, x, y, labels, vectors, times } = made;
  if (!made.names) made.names = made.cluster ? clusterNames({ texts, x, y }, made.cluster) : [];
  if (!made.clusters && made.cluster) made.clusters = Array.from(made.cluster, (own) => own < 0 ? "none" : `${own + 1}: ${made.names[own].text}`);
  const colourings = made.colourings ?? [
    byCategory("emotion", made.best),
    made.clusters && byCategory("cluster", made.clusters),
    times && byTime("time", times),
    ...columnsToColourBy(made),
  ].filter(Boolean);
  const keep = async () => download(`${made.name.replace(/(\.map)?\.\w+$/, "")}.map.parquet`, await toParquet(made), "application/vnd.apache.parquet");
  const tools = [el("button", { type: "button", title: "A table that this page and embedding-atlas open", onclick: keep }, "Keep the map (parquet)")];
  board(place, { name: made.name, texts, x, y, labels, colourings, names: made.names }, { near: vectors && ((words) => nearest(words, made)), why, tools });
}

/** Return the columns of the file that put texts into a few groups. */
function columnsToColourBy({ columns, cells, texts, time, best }) {
  const own = new Set(["text", "emotions", "cluster", "x", "y", "neighbors"]);
  return (columns ?? []).flatMap((column, place) => {
    if (place === time || own.has(column.toLowerCase())) return [];
    const values = cells.map((row) => row[place]), kinds = new Set(values).size;
    const told = values.every((value, i) => value === best[i]); // by the colours of emotions
    return !told && kinds > 1 && kinds <= Math.min(CATEGORIES, texts.length / 2) ? [byCategory(column, values)] : [];
  });
}

/** Return a text in pieces with what each carries. */
async function why(text) {
  return (await ask("/v1/emotions", { texts: text, why: true }, { patient: true })).answers[0].why;
}

async function nearest(words, { texts, vectors }) {
  const [wanted] = await ask("/embed", { inputs: [words] }, { patient: true });
  const wide = wanted.length;
  const near = Float32Array.from(texts, (_, i) => wanted.reduce((sum, value, d) => sum + value * vectors[i * wide + d], 0));
  return [...texts.keys()].sort((a, b) => near[b] - near[a]);
}
