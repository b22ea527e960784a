// Small parts of all pages: marks of emotions, and bars.

import { colourOf } from "./colours.js";
import { el } from "./dom.js";

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
