// What is chosen in several views: a label set, a file.

import { el, showFault } from "./dom.js";

/** Return {element, value}: a choice of label sets, the model's own and the coarser ones it has. */
export function labelSets(facts, name, changed = () => {}) {
  const choices = [["", `${facts.labels.length} emotions`], ...facts.label_sets.map((set) => [set, set === "ekman" ? "Ekman" : set])];
  const inputs = choices.map(([value]) => el("input", { type: "radio", name, value, checked: value === "", onchange: changed }));
  const element = el("fieldset", { class: "segments", hidden: choices.length < 2 }, el("legend", {}, "Labels"),
    ...choices.map(([, said], place) => el("label", {}, inputs[place], el("span", {}, said))));
  return {
    element,
    get value() { return inputs.find((input) => input.checked).value; },
    set value(set) { for (const input of inputs) input.checked = input.value === set; },
    has: (set) => choices.some(([value]) => value === set),
  };
}

/** Whether the service is on the machine that shows the page. */
export const local = () => ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);

/**
 * Return a place to drop a file; `opened(file)` may throw what is to be said. When a file is there it shrinks, and of its
 * note `still` is left.
 */
export function fileDrop(id, { title, types, note, still = note, opened }) {
  const input = el("input", { type: "file", id, class: "visually-hidden", accept: types, tabindex: "-1" });
  const choose = el("button", { type: "button", class: "main", onclick: () => input.click() }, "Choose a file");
  const said = el("label", { for: id }, title);
  const told = el("p", { class: "note" }, note);
  const place = el("div", { class: "drop" }, el("p", { class: "title" }, said), choose, input, told);
  async function take(file) {
    if (!file) return;
    showFault();
    choose.disabled = true;
    try {
      await opened(file);
      place.classList.add("small");
      said.textContent = file.name;
      told.textContent = still;
      choose.textContent = "Choose another file";
      choose.classList.remove("main");
    } catch (fault) {
      if (fault.name !== "AbortError") showFault(fault);
    } finally {
      choose.disabled = false;
    }
  }
  input.addEventListener("change", () => { take(input.files[0]); input.value = ""; });
  for (const name of ["dragover", "dragleave", "drop"]) {
    place.addEventListener(name, (event) => {
      event.preventDefault();
      place.classList.toggle("over", name === "dragover");
      if (name === "drop") take(event.dataTransfer.files[0]);
    });
  }
  return place;
}
