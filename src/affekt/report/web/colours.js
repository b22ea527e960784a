// A family of emotions has a colour and each member its own shade, as on the pages that affekt writes (report/style.py).

const FAMILIES = {
  "#CC8500": ["joy", "amusement", "excitement", "happiness", "optimism", "pride", "relief", "approval", "fun", "enthusiasm", "trust"],
  "#D6579B": ["love", "admiration", "caring", "desire", "gratitude"],
  "#00A08A": ["surprise", "curiosity", "confusion", "realization", "anticipation", "irony", "sarcastic"],
  "#1F6FC4": ["sadness", "disappointment", "grief", "remorse", "embarrassment", "pessimism", "boredom", "empty"],
  "#7B2FBE": ["fear", "nervousness", "worry", "threat"],
  "#C8281E": ["anger", "annoyance", "disapproval", "hate", "toxic", "insult", "obscene", "severe_toxic", "identity_hate"],
  "#5E7C16": ["disgust"],
  "#475467": ["neutral", "non_irony", "not_sarcastic"],
};
const SENTIMENTS = { negative: "#D7301F", ambiguous: "#E8B500", positive: "#2166AC" };
const OTHERS = "#8A8F96";
const SHADES = [0, -0.4, 0.45, -0.2, 0.22]; // towards black, towards white
const TURNS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#882255", "#7A8B00"];
const RAMP = ["#2C1E6B", "#3B5BA9", "#2A9D8F", "#8FBF4D", "#F2C53D"]; // from early to late, lightness rising
const LIGHTER = 0.3; // where the page is dark

const dark = matchMedia("(prefers-color-scheme: dark)");
const known = new Map(Object.entries(FAMILIES).flatMap(([colour, members]) =>
  members.map((member, place) => [member, mixed(colour, SHADES[place % SHADES.length])])));

/** Return the colour of an emotion, "#rrggbb". */
export function colourOf(label) {
  const name = label.toLowerCase();
  return shown(known.get(name) ?? SENTIMENTS[name] ?? OTHERS);
}

/** Return colours of categories: emotions have their own, what says that there is none is grey, and the others take turns. */
export function coloursOf(categories) {
  let turn = 0;
  return categories.map((category) => {
    const name = category.toLowerCase();
    return known.has(name) || name in SENTIMENTS || ["", "none", "other", "noise", "unlabelled"].includes(name) ? colourOf(name) : colourAt(turn++);
  });
}

const colourAt = (place) => shown(mixed(TURNS[place % TURNS.length], [0, -0.4, 0.4][Math.floor(place / TURNS.length) % 3]));

/** Return the colour of a share, from 0 to 1, of a stretch of time. */
export function colourAlong(share) {
  const at = Math.min(Math.max(share, 0), 1) * (RAMP.length - 1), place = Math.min(Math.floor(at), RAMP.length - 2);
  const [from, to] = [parts(RAMP[place]), parts(RAMP[place + 1])];
  return shown(hex(from.map((value, i) => value + (to[i] - value) * (at - place))));
}

const shown = (colour) => dark.matches ? mixed(colour, LIGHTER) : colour;
function parts(colour) {
  return [1, 3, 5].map((place) => Number.parseInt(colour.slice(place, place + 2), 16));
}

function hex(values) {
  return "#" + values.map((value) => Math.round(value).toString(16).padStart(2, "0")).join("").toUpperCase();
}

function mixed(colour, by) {
  const end = by > 0 ? 255 : 0;
  return hex(parts(colour).map((part) => part + Math.abs(by) * (end - part)));
}
