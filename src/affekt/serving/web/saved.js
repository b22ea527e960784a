// Saved maps: tables with x and y, and pages that affekt map wrote.

import { fromContent } from "./board.js";

const X = ["x", "projection_x"], Y = ["y", "projection_y"]; // as embedding-atlas calls its own

/** Return the map that a table holds, or null where it has no places. */
export function fromTable({ columns, rows }) {
  const column = (...names) => columns.findIndex((name) => names.includes(name.toLowerCase()));
  const [x, y, cluster] = [column(...X), column(...Y), column("cluster")];
  if (x < 0 || y < 0) return null;
  const text = column("text", "tweet", "post", "message", "content"), labels = column("emotions", "labels", "label", "emotion", "predicted");
  if (text < 0) throw new Error("The map has no column that is called text.");
  const kept = rows.filter((row) => row[x] !== "" && row[y] !== "" && Number.isFinite(Number(row[x])) && Number.isFinite(Number(row[y])));
  if (!kept.length) throw new Error("The map's x and y hold no numbers.");
  const held = kept.map((row) => labels < 0 || ["", "none"].includes(row[labels]) ? [] : row[labels].split(/[|;,]/));
  return {
    rows: kept,
    texts: kept.map((row) => row[text]),
    x: Float32Array.from(kept, (row) => Number(row[x])),
    y: Float32Array.from(kept, (row) => Number(row[y])),
    labels: held,
    best: held.map((some) => some[0] ?? "none"),
    clusters: cluster < 0 ? null : kept.map((row) => row[cluster] || "none"),
    names: cluster < 0 ? [] : null,
  };
}

/** Return the map that a page of affekt map holds. Nothing of the page is run or shown. */
export function fromPage(html, name) {
  const [, content] = /<script type="application\/json" id="map-data">([^<]*)<\/script>/.exec(html) ?? [];
  try {
    return { ...fromContent(JSON.parse(content)), name };
  } catch {
    throw new Error(`${name} holds no map; give one that affekt map wrote, or a table.`);
  }
}

/** Return a map as Parquet that fromTable and embedding-atlas read: places, texts, emotions, clusters, neighbours. */
export async function toParquet({ texts, x, y, labels, clusters, neighbours, columns = [], cells = [] }) {
  const { ByteWriter, parquetWrite, schemaFromColumnData } = await import("./vendor/parquet.js");
  const own = new Set(["text", "x", "y", "emotions", "cluster", "neighbors"]);
  const columnData = [
    { name: "text", data: texts, type: "STRING" }, { name: "x", data: Array.from(x), type: "FLOAT" }, { name: "y", data: Array.from(y), type: "FLOAT" },
    { name: "emotions", data: labels.map((some) => some.join("|")), type: "STRING" },
    ...(clusters ? [{ name: "cluster", data: clusters, type: "STRING" }] : []),
    ...columns.flatMap((name, place) => own.has(name.toLowerCase()) ? [] : [{ name, data: cells.map((row) => row[place]), type: "STRING" }]),
  ];
  const schema = schemaFromColumnData({ columnData });
  if (neighbours?.each) {
    const { ids, distances, each } = neighbours;
    const some = (values, i) => Array.from(values.subarray(i * each, (i + 1) * each));
    columnData.push({ name: "neighbors", data: texts.map((_, i) => ({ ids: some(ids, i), distances: some(distances, i) })) });
    schema[0].num_children++;
    schema.push({ name: "neighbors", num_children: 2, repetition_type: "OPTIONAL" }, ...listOf("ids", "INT32"), ...listOf("distances", "FLOAT"));
  }
  const writer = new ByteWriter();
  parquetWrite({ writer, columnData: columnData.map(({ name, data }) => ({ name, data })), schema });
  return writer.getBuffer();
}

const listOf = (name, type) => [
  { name, converted_type: "LIST", repetition_type: "OPTIONAL", num_children: 1 }, { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", type, repetition_type: "OPTIONAL" },
];
