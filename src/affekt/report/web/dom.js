// Elements of the page. Texts go in as text nodes and never as HTML.

const SVG = "http://www.w3.org/2000/svg";

/** Make an element: `el("p", {class: "note"}, "text", child)`. Properties that begin with "on" are listeners. */
export function el(name, properties = {}, ...children) {
  const made = ["svg", "rect", "line"].includes(name) ? document.createElementNS(SVG, name) : document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key.startsWith("aria-") && value != null) made.setAttribute(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

/** Show what went wrong above everything, or nothing. */
export function showFault(fault) {
  const place = document.getElementById("fault");
  place.textContent = fault ? (fault.message ?? String(fault)) : "";
  place.hidden = !fault;
}

/** Return a function that waits until it has not been called for a while. */
export function debounced(action, milliseconds) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...given), milliseconds);
  };
}

/** Offer a file to keep. */
export function download(name, content, type) {
  const address = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
