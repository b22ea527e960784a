// Stream: emotions of posts as they come, over the last minutes, and rises beyond chance.

import { reason, sent } from "./api.js";
import { counted } from "./counting.js";
import { download, el, showFault } from "./dom.js";
import { named } from "./parts.js";
import { overTime, percent } from "./plot.js";

const KEPT = 60; // minutes
const POINTS = 60; // at most, of what is drawn
const LINES = 5;
const ALARMS = 20;
const LATEST = 8; // posts shown
const AGAIN = 3000; // milliseconds until a service that is gone is listened to again

export function stream(section, facts) {
  let seen = []; // {at, labels}
  let listening = false;
  const text = el("textarea", { id: "posts", "aria-describedby": "stream-note", placeholder: "so happy with this\nwhy does it not work" });
  const minutes = el("select", {}, ...[5, 15, 60].map((value) => el("option", { value, selected: value === 15 }, `the last ${value} minutes`)));
  const told = el("p", { class: "note", role: "status" }, "Nothing has come yet.");
  const tiles = el("ul", { class: "tiles", hidden: true });
  const alarms = el("ul", { class: "alarms", "aria-label": "Rises", "aria-live": "polite" });
  const calm = el("p", { class: "empty" }, "None so far.");
  const latest = el("ul", { class: "posts", "aria-label": "Latest posts" });
  const latestCard = el("div", { hidden: true }, el("h2", {}, "Latest, sent from here"), latest);
  const chart = el("div", { class: "plot card", hidden: true });
  const keep = el("button", { type: "button", hidden: true, onclick: () => download("stream.jsonl",
    seen.map(({ at, labels }) => JSON.stringify({ at: new Date(at).toISOString(), labels })).join("\n") + "\n", "application/jsonl") }, "Keep what came (jsonl)");
  const send = el("button", { class: "main" }, "Send them");
  const form = el("form", {}, el("label", { for: "posts" }, "Posts, a line each"), text, el("div", { class: "row" }, send));
  const command = `curl ${location.origin}/v1/stream \\\n  --data-binary $'{"text": "so happy"}\\n'`;
  section.append(
    el("div", { class: "columns" },
      el("div", {}, form,
        el("details", {}, el("summary", {}, "Push posts from a program"), el("pre", { tabindex: "0" }, el("code", {}, command)),
          el("p", { class: "note", id: "stream-note" }, "What programs send is counted here while this page is open. Their texts are not shown."))),
      el("div", {}, el("h2", {}, "Rises"), el("p", { class: "note" }, "An emotion commoner among the latest 50 posts than before, beyond both 95 % intervals."), calm, alarms)),
    el("div", { class: "row" }, el("label", {}, "Show", minutes), keep), told, tiles, chart, latestCard);

  function take(name, said) {
    if (name === "emotions") seen.push({ at: Date.now(), labels: said.labels });
    if (name !== "rise") return;
    calm.hidden = true;
    alarms.prepend(el("li", {}, el("strong", {}, `${said.label} rises to ${percent(said.share)}`),
      ` (${percent(said.low)} to ${percent(said.high)}), from ${percent(said.before)} before. ${new Date().toLocaleTimeString()}`));
    while (alarms.children.length > ALARMS) alarms.lastChild.remove();
  }

  let draw = null, drawn = "";
  function redraw() {
    const now = Date.now(), span = Number(minutes.value) * 60_000, step = span / POINTS;
    seen = seen.filter(({ at }) => at > now - KEPT * 60_000);
    if (!seen.length) return;
    const some = seen.filter(({ at }) => at > now - span);
    const counts = counted(some, () => "all").get("all")?.counts ?? new Map();
    const labels = [...counts].sort((a, b) => b[1] - a[1]).slice(0, LINES).map(([label]) => label);
    told.textContent = some.length ? "" : `Nothing came in ${minutes.selectedOptions[0].textContent}.`;
    keep.hidden = tiles.hidden = false;
    const perMinute = some.filter(({ at }) => at > now - 60_000).length;
    const tile = (value, name) => el("li", {}, el("span", { class: "value" }, value), el("span", { class: "more" }, name));
    tiles.replaceChildren(tile(some.length.toLocaleString(), "posts"), tile(perMinute.toLocaleString(), "in the last minute"), tile(labels[0] ?? "none", "commonest"));
    if (!labels.length) return;
    const bins = [...counted(some, ({ at }) => Math.floor(at / step) * step)].sort((a, b) => a[0] - b[0]);
    chart.hidden = false;
    if (draw && drawn === String([...labels].sort())) draw(bins);
    else {
      drawn = String([...labels].sort());
      draw = overTime(chart, bins, [...labels].sort(), "Share of posts with each of the commonest emotions, over the last minutes");
    }
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const posts = text.value.split("\n").filter((line) => line.trim());
    if (!posts.length) return;
    showFault();
    send.disabled = true;
    try {
      const response = await sent("/v1/stream", posts.map((post) => JSON.stringify({ text: post })).join("\n"));
      if (!response.ok) throw new Error(await reason(response));
      const heard = listening; // what is listened to comes that way too
      await eventsOf(response, (name, said) => {
        if (!heard) take(name, said);
        if (name === "emotions") showLatest(posts[said.post], said.labels);
        if (name === "fault") showFault(`The service says: ${said.message}`);
      });
      text.value = "";
      redraw();
    } catch (fault) {
      showFault(fault);
    } finally {
      send.disabled = false;
    }
  });

  function showLatest(post, labels) {
    latestCard.hidden = false;
    latest.prepend(el("li", {}, el("div", {}, post.slice(0, 280)), ...(labels.length ? labels.map(named) : [el("span", { class: "more" }, "no emotion")])));
    while (latest.children.length > LATEST) latest.lastChild.remove();
  }

  async function listen() {
    try {
      const response = await sent("/v1/stream");
      listening = response.ok;
      if (response.ok) await eventsOf(response, take);
    } catch { /* said when something is sent */ }
    listening = false;
    setTimeout(listen, AGAIN);
  }
  minutes.addEventListener("change", redraw);
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
