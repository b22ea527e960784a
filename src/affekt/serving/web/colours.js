// A family of emotions has a colour and each member its own shade, wherever it is drawn.

const FAMILIES = {
  "#CC8500": ["joy", "amusement", "excitement", "happiness", "optimism", "pride", "relief", "approval", "fun", "enthusiasm", "trust", "positive"],
  "#D6579B": ["love", "admiration", "caring", "desire", "gratitude"],
  "#00A08A": ["surprise", "curiosity", "confusion", "realization", "anticipation", "irony", "sarcastic", "ambiguous"],
  "#3B82D6": ["sadness", "disappointment", "grief", "remorse", "embarrassment", "pessimism", "boredom", "empty"],
  "#9A55D6": ["fear", "nervousness", "worry", "threat"],
  "#DB3A2F": ["anger", "annoyance", "disapproval", "hate", "toxic", "insult", "obscene", "negative"],
  "#7A9A2E": ["disgust"],
};
const OTHERS = "#7C8696";

const SHADES = [0, -0.35, 0.4, -0.18, 0.2]; // towards black, towards white

/** Return the colour of an emotion. */
export function colourOf(label) {
  const known = Object.entries(FAMILIES).find(([, members]) => members.includes(label.toLowerCase()));
  if (!known) return OTHERS;
  const [colour, members] = known;
  return shaded(colour, SHADES[members.indexOf(label.toLowerCase()) % SHADES.length]);
}

function shaded(colour, by) {
  const end = by > 0 ? 255 : 0;
  const parts = [1, 3, 5].map((place) => Number.parseInt(colour.slice(place, place + 2), 16));
  return "#" + parts.map((part) => Math.round(part + Math.abs(by) * (end - part)).toString(16).padStart(2, "0")).join("");
}
