// Stream: emotions of posts as they come, over the last minutes.

import { reason, sent } from "./api.js";
import { download, el, showFault } from "./dom.js";
import { overTime } from "./plot.js";

const MINUTES = 15; // shown
const STEP = 10_000; // milliseconds of a point
const LINES = 5;
const ALARMS = 20;

export function stream(section, facts) {
  const text = el("textarea", { id: "posts", "aria-describedby": "stream-note" });
  const form = el("form", {},
    el("label", { for: "posts" }, "Posts, a line each"), text,
    el("div", { class: "row" }, el("button", { class: "main" }, "Send them")),
    el("p", { class: "note", id: "stream-note" }, "Programs send theirs to ", el("code", {}, "POST /v1/stream"),
      "; what they send is counted here too, while this page is open. Its texts stay with them."));
  const told = el("p", { role: "status" }, "Nothing has come yet.");
  const alarms = el("ul", { "aria-label": "Rises" });
  const chart = el("div", { class: "plot", role: "img", "aria-label": "Share of posts with each of the commonest emotions, over the last minutes" });
  const keep = el("button", { type: "button", hidden: true, onclick: () => download("stream.jsonl", seen.map((one) => JSON.stringify(one)).join("\n") + "\n", "application/jsonl") }, "Keep what came (jsonl)");
  section.append(form, el("h2", {}, `The last ${MINUTES} minutes`), told, chart,
    el("h2", {}, "Rises"), el("p", { class: "note" }, "An emotion commoner among the latest 50 posts than before, beyond both 95 % intervals."), alarms, keep);
  let seen = [];
  let draw = null, drawn = "";

  function take(name, said) {
    if (name === "emotions") seen.push({ at: Date.now(), labels: said.labels });
    if (name === "rise") {
      const percent = (share) => `${Math.round(share * 100)} %`;
      alarms.prepend(el("li", { class: "alarm" }, `${new Date().toLocaleTimeString()}: ${said.label} is at ${percent(said.share)} (${percent(said.low)} to ${percent(said.high)}), from ${percent(said.before)}.`));
      while (alarms.children.length > ALARMS) alarms.lastChild.remove();
    }
  }

  function redraw() {
    const since = Date.now() - MINUTES * 60_000;
    seen = seen.filter((one) => one.at > since);
    if (!seen.length) return;
    told.textContent = `${seen.length.toLocaleString()} posts`;
    keep.hidden = false;
    const counts = new Map(), bins = new Map();
    for (const { at, labels } of seen) {
      const key = Math.floor(at / STEP) * STEP;
      if (!bins.has(key)) bins.set(key, { of: 0, counts: new Map() });
      const bin = bins.get(key);
      bin.of++;
      for (const label of labels) {
        counts.set(label, (counts.get(label) ?? 0) + 1);
        bin.counts.set(label, (bin.counts.get(label) ?? 0) + 1);
      }
    }
    const labels = [...counts].sort((a, b) => b[1] - a[1]).slice(0, LINES).map(([label]) => label);
    const ordered = [...bins].sort((a, b) => a[0] - b[0]);
    if (!labels.length) return;
    if (draw && drawn === String([...labels].sort())) draw(ordered);
    else {
      chart.replaceChildren();
      drawn = String([...labels].sort());
      draw = overTime(chart, ordered, [...labels].sort());
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const posts = text.value.split("\n").filter((line) => line.trim());
    if (!posts.length) return;
    showFault();
    try {
      const response = await sent("/v1/stream", posts.map((post) => JSON.stringify({ text: post })).join("\n"));
      if (!response.ok) throw new Error(await reason(response));
      text.value = "";
      await eventsOf(response, listening ? () => {} : take);
      redraw();
    } catch (fault) {
      showFault(fault);
    }
  });

  let listening = false;
  async function listen() {
    try {
      const response = await sent("/v1/stream");
      listening = response.ok;
      if (response.ok) await eventsOf(response, take);
    } catch { /* said below, when it comes back or something is sent */ }
    listening = false;
    setTimeout(listen, 3000);
  }
  listen();
  setInterval(redraw, 1000);
}

/** Read server-sent events as they come. */
async function eventsOf(response, take) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const parts = (rest + value).split("\n\n");
    rest = parts.pop();
    for (const part of parts) {
      const name = /^event: (.*)$/m.exec(part)?.[1], data = /^data: (.*)$/m.exec(part)?.[1];
      if (name) take(name, JSON.parse(data));
    }
  }
}
