import { el } from "./dom.js";

export function stream(section) {
  section.append(el("p", {}, "Not yet."));
}
