// A board: a map of texts that is moved, searched and coloured, and whose parts are told of. It needs no service.

import { colourAlong, coloursOf } from "./colours.js";
import { download, el, showFault } from "./dom.js";
import { bar, carried, named } from "./parts.js";
import { Points } from "./points.js";

const LISTED = 60; // texts of a part
const SHOWN = 8; // emotions of a part
const WORDS = 12;
const STEPS = 48; // of a stretch of time

/** Return a way to colour by categories, one of which each text has; the commonest come first. */
export function byCategory(name, values) {
  const sizes = new Map();
  for (const value of values) sizes.set(value, (sizes.get(value) ?? 0) + 1);
  const categories = [...sizes.keys()].sort((a, b) => sizes.get(b) - sizes.get(a));
  const placeOf = new Map(categories.map((category, place) => [category, place]));
  return { name, categories, sizes: categories.map((category) => sizes.get(category)), places: Uint16Array.from(values, (value) => placeOf.get(value)) };
}

/** Return a way to colour by times in milliseconds, of which some may be NaN. */
export function byTime(name, times) {
  let from = Infinity, to = -Infinity;
  for (const time of times) if (!Number.isNaN(time)) [from, to] = [Math.min(from, time), Math.max(to, time)];
  const step = (time) => Number.isNaN(time) ? STEPS : Math.min(Math.floor(((time - from) / (to - from || 1)) * STEPS), STEPS - 1);
  return { name, from, to, places: Uint16Array.from(times, step) };
}

/** Return the map that a page holds as JSON. */
export function fromContent({ name, x, y, texts, labels, colourings, names }) {
  return {
    name, texts, labels, names, x: Float32Array.from(x), y: Float32Array.from(y),
    colourings: colourings.map(({ name: of, categories, codes }) => byCategory(of, codes.map((code) => categories[code]))),
  };
}

/**
 * Show a map on a place.
 *
 * `map` has `name`, `texts`, `x`, `y`, `labels` (a list for each text), `colourings` (made by the functions above, the
 * first is shown first) and `names`: [{text, point}] that are written over it. `near(words)`, if it is given, returns the
 * places of texts from the nearest on; else texts are found by their letters. `why(text)`, if it is given, returns a text
 * in pieces with what each carries. `tools` stand behind the others.
 */
export function board(place, map, { near, why, tools = [] } = {}) {
  const canvas = el("canvas", { class: "points", "aria-hidden": "true" });
  const overlay = el("canvas", { class: "points over", tabindex: "0", role: "application", "aria-label": "Map of texts. Arrow keys move, plus and minus zoom, 0 shows all, Enter tells what is in view." });
  const tip = el("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const key = el("div", { class: "chips key", role: "group", "aria-label": "What colours mean" });
  const side = el("div", { class: "side card", "aria-live": "polite" });
  const overall = counts(map, map.texts.keys(), map.texts.length);
  const hidden = new Set();
  let colouring = map.colourings[0], bright = null;

  const colours = () => colouring.categories ? coloursOf(colouring.categories)
    : [...Array.from({ length: STEPS }, (_, step) => colourAlong(step / (STEPS - 1))), coloursOf(["none"])[0]];
  const paint = () => points.paint(colouring.places, colours(), hidden, bright);

  function choose(indices) {
    bright = indices.length ? new Uint8Array(map.texts.length) : null;
    for (const i of indices) bright[i] = 1;
    paint();
    side.replaceChildren(...(indices.length ? told(map, indices, bright, overall, why) : whole(map, overall)));
  }

  function colourBy(other) {
    colouring = other;
    hidden.clear();
    key.replaceChildren(...(colouring.categories ? chips(colouring, colours(), map.texts.length, (category, hide) => {
      if (hide) hidden.add(category);
      else hidden.delete(category);
      paint();
    }) : [ramp(colouring, colours())]));
    paint();
  }

  const press = (said, pressed, action) => {
    const button = el("button", { type: "button", "aria-pressed": pressed, onclick: () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      action(on);
    } }, said);
    return button;
  };
  const words = el("input", { type: "search", class: "words-wanted", placeholder: near ? "waiting for a reply" : "a word" });
  const emotion = el("select", {}, el("option", { value: "" }, "any"), ...overall.map(({ label }) => el("option", { value: label }, label)));
  const by = el("select", { onchange: () => colourBy(map.colourings[by.selectedIndex]) }, ...map.colourings.map(({ name }) => el("option", {}, name)));
  const lasso = press("Lasso", "false", (on) => { points.lasso = on; });
  const names = map.names.length ? press("Names", "true", (on) => { points.names = on ? map.names : []; points.draw(); }) : null;
  const all = el("button", { type: "button", onclick: () => { choose([]); points.home(); } }, "Show all");
  const search = el("form", { class: "row" },
    el("label", { class: "wide-field" }, near ? "Near a text" : "With a word", words), el("label", {}, "With emotion", emotion), el("button", { class: "main" }, "Find"),
    el("label", {}, "Colour by", by), ...tools);
  search.addEventListener("submit", async (event) => {
    event.preventDefault();
    showFault();
    try {
      choose(await found(map, words.value.trim(), emotion.value, near));
    } catch (fault) {
      showFault(fault);
    }
  });
  const zoom = (said, sign, by) => el("button", { type: "button", title: said, "aria-label": said, onclick: () => points.closer(by) }, sign);
  place.replaceChildren(search, key, el("div", { class: "mapping" },
    el("div", {}, el("div", { class: "stack" }, canvas, overlay, tip, el("div", { class: "over-left" }, lasso, names, all), el("div", { class: "zoom" }, zoom("Closer", "+", 1.5), zoom("Farther", "−", 1 / 1.5))),
      el("p", { class: "note" }, "Drag to move, scroll or pinch to zoom. Draw round texts with Lasso, or while holding shift. Near points are texts that the model finds alike; axes have no meaning.")),
    side));

  function pointed(i, x, y) {
    tip.hidden = i < 0;
    if (i < 0) return;
    tip.replaceChildren(cut(map.texts[i], 280), el("div", {}, ...map.labels[i].map((label) => named(label))));
    tip.style.left = `${Math.min(Math.max(x, 140), overlay.clientWidth - 140)}px`;
    tip.style.top = `${y}px`;
    tip.classList.toggle("below", y < 140);
  }

  const points = new Points(canvas, overlay, choose, pointed);
  points.set(map.x, map.y);
  points.names = map.names;
  colourBy(colouring);
  choose([]);
  return points;
}

const cut = (text, length) => text.length > length ? `${text.slice(0, length - 1)}…` : text;
const percent = (share) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;

/** Return [{label, share}] of some texts, the commonest first. */
function counts({ labels }, indices, of) {
  const sizes = new Map();
  for (const i of indices) for (const label of labels[i]) sizes.set(label, (sizes.get(label) ?? 0) + 1);
  return [...sizes].map(([label, size]) => ({ label, share: size / of })).sort((a, b) => b.share - a.share);
}

function chips({ categories, sizes }, colours, count, changed) {
  return categories.map((category, place) => {
    const mark = el("span", { class: "dot", "aria-hidden": "true" });
    mark.style.backgroundColor = colours[place];
    const button = el("button", { type: "button", class: "chip", "aria-pressed": "true", onclick: () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      changed(place, !on);
    } }, mark, cut(category || "none", 40), el("small", {}, percent(sizes[place] / count)));
    return button;
  });
}

function ramp({ from, to }, colours) {
  const day = (time) => Number.isFinite(time) ? new Date(time).toISOString().slice(0, 10) : "no time";
  return el("div", { class: "ramp" }, day(from),
    el("svg", { "aria-hidden": "true", viewBox: `0 0 ${STEPS} 10`, preserveAspectRatio: "none" }, ...colours.slice(0, STEPS).map((fill, x) => el("rect", { x, width: 1.05, height: 10, fill }))),
    day(to));
}

/** Return the texts nearest to some words, or with them in it, of those with an emotion. */
async function found(map, words, emotion, near) {
  let some = words && near ? await near(words) : [...map.texts.keys()];
  some = some.filter((i) => !emotion || map.labels[i].includes(emotion));
  if (words && near) some = some.slice(0, LISTED);
  else if (words) some = some.filter((i) => map.texts[i].toLowerCase().includes(words.toLowerCase()));
  if (!some.length) throw new Error("No text is like that.");
  return some;
}

function whole({ name, texts }, overall) {
  return [el("h2", {}, `${texts.length.toLocaleString()} texts`), name ? el("p", { class: "note" }, name) : null, bars(overall),
    el("p", { class: "note" }, "Draw round some with Lasso, or find some, to see what they hold.")].filter(Boolean);
}

function bars(shares, overall = []) {
  const everywhere = new Map(overall.map(({ label, share }) => [label, share]));
  const most = Math.max(0.01, ...shares.slice(0, SHOWN).map(({ label, share }) => Math.max(share, everywhere.get(label) ?? 0)));
  const colours = coloursOf(shares.map(({ label }) => label));
  if (!shares.length) return el("p", {}, "No emotion is decided on.");
  return el("ul", { class: "bars", "aria-label": "Share of texts with each emotion" }, ...shares.slice(0, SHOWN).map(({ label, share }, place) => el("li", {},
    el("span", { class: "name" }, label), bar(share, colours[place], { most, all: everywhere.get(label) }), el("span", { class: "number" }, percent(share)))));
}

/** Say what a part holds: emotions beside those of everything, words it has more than the others, texts. */
function told(map, indices, chosen, overall, why) {
  const keep = () => download("texts.csv", ["text,emotions", ...indices.map((i) => [map.texts[i], map.labels[i].join("|")]
    .map((cell) => `"${cell.replaceAll('"', '""')}"`).join(","))].join("\r\n") + "\r\n", "text/csv");
  const words = commoner(map.texts, chosen, indices.length);
  return [
    el("h2", {}, `${indices.length.toLocaleString()} of ${map.texts.length.toLocaleString()} texts`),
    bars(counts(map, indices, indices.length), overall),
    el("p", { class: "note" }, "The line in a bar is the share in all texts."),
    el("h3", {}, "Words they have more than the others"),
    words.length ? el("ul", { class: "chips" }, ...words.map((word) => el("li", { class: "chip" }, word))) : el("p", {}, "None beyond chance."),
    el("h3", {}, indices.length > LISTED ? `${LISTED} of the texts` : "The texts"),
    el("ul", { class: "posts", tabindex: "0", "aria-label": "Texts" }, ...indices.slice(0, LISTED).map((i) => post(map.texts[i], map.labels[i], why))),
    el("button", { type: "button", onclick: keep }, "Keep these (csv)"),
  ];
}

/** Return a text of a list with its emotions; where it can be asked why, with a button that colours its words. */
function post(text, labels, why) {
  const words = el("div", {}, cut(text, 300));
  const ask = why && labels.length ? el("button", { type: "button", class: "why", onclick: async () => {
    ask.disabled = true;
    showFault();
    try {
      const { nodes, seen } = carried(await why(text));
      words.replaceChildren(...nodes);
      ask.replaceWith(seen.size ? "" : el("span", { class: "more" }, "no word by itself"));
    } catch (fault) {
      ask.disabled = false;
      showFault(fault);
    }
  } }, "Why?") : null;
  return el("li", {}, words, ...labels.map((label) => named(label)), ask);
}

/** Return words that chosen texts have more often than the others, by the log odds beside their error. */
function commoner(texts, chosen, of) {
  const counts = new Map(), others = texts.length - of;
  texts.forEach((text, i) => {
    for (const word of new Set(text.toLowerCase().match(/[\p{L}'’]{3,}/gu) ?? [])) {
      const pair = counts.get(word) ?? [0, 0];
      pair[chosen[i] ? 0 : 1]++;
      counts.set(word, pair);
    }
  });
  const sure = ([inside, outside]) => (Math.log((inside + 0.5) / (of - inside + 0.5)) - Math.log((outside + 0.5) / (others - outside + 0.5)))
    / Math.sqrt(1 / (inside + 0.5) + 1 / (outside + 0.5));
  return [...counts].filter(([, pair]) => pair[0] > 1).map(([word, pair]) => [word, sure(pair)]).filter(([, by]) => by > 2.5)
    .sort((a, b) => b[1] - a[1]).slice(0, WORDS).map(([word]) => word);
}

/** Return names of clusters, by the words that each has more than the others, and the point where each name stands. */
export function clusterNames({ texts, x, y }, cluster) {
  const members = [];
  cluster.forEach((own, i) => { if (own >= 0) (members[own] ??= []).push(i); });
  return members.map((indices) => {
    const chosen = new Uint8Array(texts.length);
    for (const i of indices) chosen[i] = 1;
    const middle = [x, y].map((axis) => Float64Array.from(indices, (i) => axis[i]).sort()[indices.length >> 1]);
    const apart = (i) => Math.abs(x[i] - middle[0]) + Math.abs(y[i] - middle[1]);
    const point = indices.reduce((best, i) => apart(i) < apart(best) ? i : best);
    return { text: commoner(texts, chosen, indices.length).slice(0, 3).join(", ") || "mixed", point };
  });
}
