// Type: the emotions of a text while it is written.

import { ask } from "./api.js";
import { colourOf } from "./colours.js";
import { debounced, el, showFault } from "./dom.js";

const SHOWN = 8; // labels with a bar
const EXAMPLE = "i can't stop smiling, she said yes!!";

/** Fill the section; `facts` is what the service says of its model. */
export function type(section, facts) {
  const text = el("textarea", {
    id: "text", maxlength: facts.limits.characters, placeholder: EXAMPLE, autocomplete: "off", "aria-describedby": "type-note",
  });
  const sets = labelSets(facts);
  const verdict = el("p", { class: "verdict", "aria-live": "polite" });
  const bars = el("ul", { class: "bars", "aria-label": "Emotions, the likeliest first" });
  const words = el("p", { class: "words" });
  const wordsCard = el("div", { hidden: true }, el("h2", {}, "Which words carry it"), el("div", { class: "card" }, words),
    el("p", { class: "note" }, "Coloured is what lowers an emotion when it is left out; strong colour, much."));
  const copied = el("span", { class: "note", role: "status" });
  const share = el("button", { type: "button", onclick: () => copyLink(text.value, sets.value, copied) }, "Copy a link to this");
  const results = el("div", { class: "card", hidden: true }, verdict, bars);
  let running = new AbortController();

  async function look() {
    running.abort();
    const own = (running = new AbortController());
    const given = text.value;
    share.disabled = !given.trim();
    if (!given.trim()) {
      results.hidden = wordsCard.hidden = true;
      return;
    }
    try {
      const asked = { texts: given, label_set: sets.value };
      const [answer] = (await ask("/v1/emotions", asked, { signal: own.signal, patient: true })).answers;
      showFault();
      results.hidden = false;
      verdict.textContent = said(answer, facts.single_label);
      showBars(bars, answer);
      const [reasons] = (await ask("/v1/emotions", { ...asked, why: true }, { signal: own.signal, patient: true })).answers;
      wordsCard.hidden = !showWords(words, reasons);
    } catch (fault) {
      if (fault.name !== "AbortError") showFault(fault);
    }
  }

  const later = debounced(look, 250);
  text.addEventListener("input", later);
  sets.addEventListener("change", look);
  section.append(
    el("div", { class: "columns" },
      el("div", {},
        el("label", { for: "text" }, "A text"), text,
        el("p", { class: "note", id: "type-note" }, "Emotions appear as you type."),
        el("div", { class: "row" }, el("label", { hidden: !facts.label_sets.length }, "Labels", sets), share, copied),
        wordsCard),
      results));
  restore(text, sets);
  look();
}

/** Return a choice of label sets: the model's own, and the coarser ones it has. */
export function labelSets(facts) {
  const own = el("option", { value: "" }, `${facts.labels.length} emotions`);
  return el("select", {}, own, ...facts.label_sets.map((name) => el("option", { value: name }, name)));
}

/** Say in a sentence what was decided and how surely. */
function said(answer, single) {
  const percent = (label) => `${Math.round(answer.scores[label] * 100)} %`;
  if (answer.labels.length) {
    const held = answer.labels.map((label) => `${label} (${percent(label)})`);
    return `${single ? "Most likely" : "The model says"}: ${held.join(", ")}.`;
  }
  const [best] = Object.keys(answer.scores);
  return `No emotion is likely enough to say so. The nearest is ${best} (${percent(best)}).`;
}

function showBars(list, answer) {
  const shown = Object.entries(answer.scores).slice(0, Math.max(SHOWN, answer.labels.length));
  list.replaceChildren(...shown.map(([label, score]) => {
    const held = answer.labels.includes(label);
    return el("li", { class: held ? "held" : "" },
      el("span", { class: "name" }, label, held ? el("span", { class: "visually-hidden" }, " (decided)") : null),
      el("svg", { "aria-hidden": "true", viewBox: "0 0 100 10", preserveAspectRatio: "none" },
        el("rect", { width: Math.max(score * 100, 0.5), height: 10, fill: colourOf(label) })),
      el("span", { class: "number" }, `${Math.round(score * 100)} %`));
  }));
}

/** Colour the words of a text; return whether any carries anything. */
function showWords(place, answer) {
  const pieces = answer.why ?? [];
  const strongest = Math.max(0.05, ...pieces.flatMap((piece) => Object.values(piece.carries)));
  let any = false;
  place.replaceChildren(...pieces.map((piece) => {
    const [label, change] = Object.entries(piece.carries).sort((a, b) => b[1] - a[1])[0] ?? ["", 0];
    if (change < 0.02) return document.createTextNode(piece.text);
    any = true;
    const share = Math.round(12 + 48 * Math.min(change / strongest, 1));
    const mark = el("mark", { title: `${label}: ${Math.round(change * 100)} points less without it` }, piece.text,
      el("span", { class: "visually-hidden" }, ` (carries ${label}) `));
    mark.style.backgroundColor = `color-mix(in srgb, ${colourOf(label)} ${share}%, transparent)`;
    mark.style.borderBottomColor = colourOf(label);
    return mark;
  }));
  return any;
}

/** Put the text into the address behind #, which browsers keep to themselves, and copy that. */
async function copyLink(text, set, place) {
  const shared = new URLSearchParams({ text, ...(set ? { set } : {}) });
  history.replaceState(null, "", `#type?${shared}`);
  try {
    await navigator.clipboard.writeText(location.href);
    place.textContent = "Copied. Who opens it sees the text.";
  } catch {
    place.textContent = "The link stands in the address bar.";
  }
}

function restore(text, sets) {
  const shared = new URLSearchParams(location.hash.split("?").slice(1).join("?"));
  text.value = (shared.get("text") ?? "").slice(0, text.maxLength);
  if ([...sets.options].some((option) => option.value === shared.get("set"))) sets.value = shared.get("set");
}
