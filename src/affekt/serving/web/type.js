// Type: the emotions of a text while it is written, how sure they are, and the words that carry them.

import { ask } from "./api.js";
import { labelSets } from "./choices.js";
import { colourOf } from "./colours.js";
import { debounced, el, showFault } from "./dom.js";
import { bar, carried, dot } from "./parts.js";

const SHOWN = 8; // labels with a bar
const COVERAGE = 0.9;
const EXAMPLES = [
  "i can't stop smiling, she said yes!! but my brother won't come to the wedding and that hurts",
  "oh great, another monday",
  "thank you all so much, i was really scared of asking",
];

/** Fill the section; `facts` is what the service says of its model. */
export function type(section, facts) {
  const text = el("textarea", { id: "text", maxlength: facts.limits.characters, placeholder: "Write or paste a text", autocomplete: "off", "aria-describedby": "type-note" });
  const sets = labelSets(facts, "type-set", () => look());
  const examples = el("ul", { class: "chips", "aria-label": "Examples" }, ...EXAMPLES.map((example) => el("li", {},
    el("button", { type: "button", class: "chip", onclick: () => { text.value = example; look(); } }, example.length > 44 ? `${example.slice(0, 42)}…` : example))));
  const verdict = el("p", { class: "verdict" });
  const sure = el("p", { class: "sure" });
  const bars = el("ul", { class: "bars", "aria-label": "Emotions, the likeliest first" });
  const answered = el("div", { hidden: true }, el("div", { "aria-live": "polite" }, verdict, sure), bars);
  const empty = el("p", { class: "empty" }, "Emotions appear here as you type.");
  const results = el("div", { class: "card" }, empty, answered);
  const words = wordsCard();
  const copied = el("span", { class: "note", role: "status" });
  const share = el("button", { type: "button", disabled: true, onclick: () => copyLink(text.value, sets.value, copied) }, "Copy a link to this");
  let running = new AbortController();

  async function look() {
    running.abort();
    const own = (running = new AbortController());
    const given = text.value;
    share.disabled = !given.trim();
    copied.textContent = "";
    examples.hidden = Boolean(given.trim());
    if (!given.trim()) {
      answered.hidden = true;
      empty.hidden = false;
      words.show([]);
      return;
    }
    const slow = setTimeout(() => results.classList.add("waiting"), 400);
    try {
      const asked = { texts: given, label_set: sets.value };
      const coverage = facts.promises && !sets.value ? { coverage: COVERAGE } : {};
      const [answer] = (await ask("/v1/emotions", { ...asked, ...coverage }, { signal: own.signal, patient: true })).answers;
      showFault();
      answered.hidden = false;
      empty.hidden = true;
      verdict.textContent = answer.labels.length ? listed(answer.labels) : "No emotion is likely enough";
      sure.textContent = said(answer, facts);
      showBars(bars, answer, []);
      const [reasons] = (await ask("/v1/emotions", { ...asked, why: true }, { signal: own.signal, patient: true })).answers;
      showBars(bars, answer, words.show(reasons.why ?? []), words.choose);
    } catch (fault) {
      if (fault.name !== "AbortError") showFault(fault);
    } finally {
      clearTimeout(slow);
      if (own === running) results.classList.remove("waiting");
    }
  }

  text.addEventListener("input", debounced(look, 250));
  section.append(
    el("div", { class: "columns typing" },
      el("div", {}, el("label", { for: "text" }, "A text"), text,
        el("p", { class: "note", id: "type-note" }, "Emotions appear as you type."), examples,
        el("div", { class: "row" }, sets.element, share, copied)),
      results, words.element));
  restore(text, sets);
  look();
}

const listed = (labels) => labels.length < 2 ? labels.join("") : `${labels.slice(0, -1).join(", ")} and ${labels.at(-1)}`;

/** Say how surely an emotion is there: as shares of texts that are scored alike, and as a set that holds the truth. */
function said({ labels, scores, set, abstained }, facts) {
  const [likeliest] = Object.keys(scores);
  const of = (label) => Math.round(scores[label] * 100);
  const shown = labels.length ? labels : [likeliest];
  const sentences = [facts.calibrated
    ? `Of 100 texts with ${shown.length > 1 ? "such scores" : "such a score"}, about ${listed(shown.map((label) => `${of(label)} hold ${label}`))}.`
    : `Its score is ${listed(shown.map((label) => `${of(label)} % for ${label}`))}; nobody has checked such scores on texts whose emotions are known.`];
  const others = (set ?? []).filter((label) => !labels.includes(label));
  if (abstained) sentences.push("No short list of emotions would be right 9 times in 10.");
  else if (others.length) sentences.push(`To miss nothing 9 times in 10, add ${listed(others)}.`);
  else if (set) sentences.push("Answers like this miss nothing 9 times in 10.");
  return sentences.join(" ");
}

/** Draw bars; those of `explained` labels can be pressed, and then `choose(label)` is called. */
function showBars(list, answer, explained, choose) {
  const shown = Object.entries(answer.scores).slice(0, Math.max(SHOWN, answer.labels.length));
  list.replaceChildren(...shown.map(([label, score]) => {
    const held = answer.labels.includes(label);
    const parts = [
      el("span", { class: "name" }, label, held ? el("span", { class: "visually-hidden" }, " (decided)") : null),
      bar(score, colourOf(label)), el("span", { class: "number" }, `${Math.round(score * 100)} %`)];
    if (!explained.includes(label)) return el("li", { class: held ? "held" : "" }, ...parts);
    const button = el("button", {
      type: "button", "aria-pressed": "false", title: `Words for and against ${label}`, onclick: () => {
        const on = button.getAttribute("aria-pressed") !== "true";
        for (const other of list.querySelectorAll("button")) other.setAttribute("aria-pressed", on && other === button);
        choose(on ? label : null);
      },
    }, ...parts);
    return el("li", { class: held ? "held" : "" }, button);
  }));
}

/** The words of a text, coloured by the emotion each carries most, or by one that is chosen. */
function wordsCard() {
  const words = el("p", { class: "words" });
  const key = el("div", { class: "chips" });
  const note = el("p", { class: "note" });
  const element = el("div", { hidden: true }, el("h2", {}, "Which words carry it"), el("div", { class: "card" }, words, key), note);
  let pieces = [];

  function draw(chosen) {
    const { nodes, seen } = carried(pieces, chosen);
    words.replaceChildren(...nodes);
    key.replaceChildren(...[...seen].map((label) => el("span", { class: "chip" }, dot(label), label)));
    note.textContent = chosen
      ? `Coloured words carry ${chosen}: it is less likely without them. Dotted ones speak against it. Press ${chosen} again for all.`
      : "A coloured word lowers an emotion when it is left out, a strong colour by much. Press an emotion to see its words alone.";
    return seen.size > 0;
  }

  return {
    element,
    choose: draw,
    /** Show the parts of a text and return the labels that are told of. */
    show(parts) {
      pieces = parts;
      element.hidden = !draw(null);
      return element.hidden ? [] : [...new Set(parts.flatMap(({ carries }) => Object.keys(carries)))];
    },
  };
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
  if (shared.has("set") && sets.has(shared.get("set"))) sets.value = shared.get("set");
}
