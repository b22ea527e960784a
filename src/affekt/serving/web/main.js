// The page: its tabs, and what they are told of the model.

import { ask, setKey } from "./api.js";
import { local } from "./choices.js";
import { el, showFault } from "./dom.js";
import { file } from "./file.js";
import { map } from "./map.js";
import { stream } from "./stream.js";
import { type } from "./type.js";

const VIEWS = { type, file, map, stream };
const tabs = [...document.querySelectorAll("[role=tab]")];
const filled = new Set();
let facts;

function show(name, { focus = false } = {}) {
  for (const tab of tabs) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", chosen);
    tab.tabIndex = chosen ? 0 : -1;
    document.getElementById(tab.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen && focus) tab.focus();
  }
  if (facts && !filled.has(name)) {
    filled.add(name);
    VIEWS[name](document.getElementById(name), facts);
  }
}

function named() {
  const name = location.hash.slice(1).split("?")[0];
  return name in VIEWS ? name : "type";
}

for (const [place, tab] of tabs.entries()) {
  const name = tab.getAttribute("aria-controls");
  tab.addEventListener("click", () => { history.replaceState(null, "", `#${name}`); show(name); });
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1, Home: -place, End: tabs.length - 1 - place }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = tabs[(place + step + tabs.length) % tabs.length];
    next.click();
    next.focus();
  });
}
addEventListener("hashchange", () => show(named()));

async function begin() {
  try {
    facts = await ask("/v1/model", undefined, { patient: true });
  } catch (fault) {
    showFault(fault);
    document.getElementById("model").replaceChildren(el("button", { type: "button", onclick: begin }, "Ask again"));
    return;
  }
  showFault();
  document.getElementById("key-form").hidden = true;
  document.getElementById("model").textContent = `${facts.name} · ${facts.labels.length} emotions`;
  if (!facts.labels.length) {
    showFault("This model makes vectors and knows no emotions; start affekt serve with a classifier.");
    return;
  }
  show(named());
}

document.getElementById("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  setKey(document.getElementById("key").value);
  begin();
});
if (local()) document.getElementById("where").textContent = "Texts go to the service on this machine and nowhere else.";
show(named());
begin();
