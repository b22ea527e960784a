import { el } from "./dom.js";

export function map(section) {
  section.append(el("p", {}, "Not yet."));
}
