// Small parts of all pages: marks of emotions, bars, and words that carry emotions.

import { colourOf } from "./colours.js";
import { el } from "./dom.js";

const LEAST = 0.02; // a word carries an emotion that falls by so much without it

/** Return a small mark in the colour of an emotion, or in one that is given. */
export function dot(label, colour = colourOf(label)) {
  const made = el("span", { class: "dot", "aria-hidden": "true" });
  made.style.backgroundColor = colour;
  return made;
}

/** Return an emotion with its mark. */
export const named = (label) => el("span", { class: "more" }, dot(label), label);

/**
 * Return a bar of a share: as long as it is beside `most`; with the ends of its interval, and a line where the share
 * of everything is, if they are given.
 */
export function bar(share, colour, { most = 1, low, high, all } = {}) {
  const at = (value) => Math.min(value / most, 1) * 100;
  const line = (kind, x1, y1, x2, y2) => el("line", { class: kind, x1, y1, x2, y2 });
  const ends = low === undefined ? [] : [line("whisker", at(low), 5, at(high), 5), line("whisker", at(low), 2, at(low), 8), line("whisker", at(high), 2, at(high), 8)];
  return el("svg", { class: most === 1 ? "bar" : "bar open", "aria-hidden": "true", viewBox: "0 0 100 10", preserveAspectRatio: "none" },
    el("rect", { width: Math.max(at(share), 0.5), height: 10, rx: 1, fill: colour }), ...ends,
    all === undefined ? null : line("everywhere", at(all), 0, at(all), 10));
}

/**
 * Return the nodes of a text in pieces, [{text, carries: {label: change}}], coloured by the emotion that each carries
 * most, or by a chosen one, also what speaks against it; and the labels that are seen.
 */
export function carried(pieces, chosen = null) {
  const strength = (change) => chosen ? Math.abs(change) : change;
  const strongest = Math.max(0.05, ...pieces.flatMap(({ carries }) => Object.values(carries).map(strength)));
  const seen = new Set();
  const nodes = pieces.map(({ text, carries }) => {
    const [label, change] = (chosen ? [[chosen, carries[chosen] ?? 0]] : Object.entries(carries))
      .sort((a, b) => strength(b[1]) - strength(a[1]))[0] ?? ["", 0];
    if (strength(change) < LEAST) return document.createTextNode(text);
    seen.add(label);
    const points = Math.round(Math.abs(change) * 100), verb = change > 0 ? "carries" : "speaks against";
    const mark = el("mark", { class: change > 0 ? "" : "against", title: `${verb} ${label}: ${points} points ${change > 0 ? "less" : "more"} without it` },
      text, el("span", { class: "visually-hidden" }, ` (${verb} ${label}) `));
    const share = change > 0 ? Math.round(10 + 30 * Math.min(change / strongest, 1)) : 0;
    mark.style.backgroundColor = `color-mix(in srgb, ${colourOf(label)} ${share}%, transparent)`;
    mark.style.borderBottomColor = colourOf(label);
    return mark;
  });
  return { nodes, seen };
}
