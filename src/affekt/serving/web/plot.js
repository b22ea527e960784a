// Lines over time with their intervals.

import { colourOf } from "./colours.js";
import { wilson } from "./counting.js";
import { el } from "./dom.js";
import { dot } from "./parts.js";
import uPlot from "./vendor/uplot.js";

const DASHES = [[], [8, 4], [2, 3], [12, 3, 2, 3], [5, 5]]; // lines are told apart without their colours too

export const percent = (share) => share == null ? "–" : `${(share * 100).toFixed(1)} %`;

/**
 * Draw shares of labels; `bins` are [time in ms, {of, counts}], in order. The first `shown` labels are drawn until their
 * buttons say otherwise. Return a function that draws others.
 */
export function overTime(place, bins, labels, said, { shown = labels.length, utc = false } = {}) {
  const style = getComputedStyle(document.documentElement);
  const [ink, line] = ["--faint", "--line"].map((name) => style.getPropertyValue(name));
  const axis = { stroke: ink, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
  const series = labels.flatMap((label, i) => {
    const show = i < shown, bound = { show, stroke: "transparent", points: { show: false } };
    return [{ show, stroke: colourOf(label), width: 2, dash: DASHES[i % DASHES.length], points: { show: bins.length < 40 } }, bound, { ...bound }];
  });
  const bands = labels.map((label, i) => ({ series: [3 * i + 2, 3 * i + 3], fill: `${colourOf(label)}26` }));
  const drawing = el("div", { role: "img", "aria-label": said });
  const size = () => ({ width: Math.max(drawing.clientWidth, 240), height: drawing.clientWidth < 500 ? 260 : 320 });
  const values = labels.map(() => el("small"));
  const key = el("div", { class: "chips", role: "group", "aria-label": "Emotions drawn" }, ...labels.map((label, i) => {
    const button = el("button", { type: "button", class: "chip", "aria-pressed": i < shown, onclick: () => {
      const show = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", show);
      for (const part of [1, 2, 3]) chart.setSeries(3 * i + part, { show });
    } }, dot(label), label, values[i]);
    return button;
  }));
  place.replaceChildren(key, drawing);
  const tell = (u) => {
    const at = u.cursor.idx ?? u.data[0].length - 1;
    values.forEach((one, i) => { one.textContent = percent(u.data[3 * i + 1]?.[at]); });
  };
  const chart = new uPlot({
    ...size(), ...(utc ? { tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC") } : {}), bands, series: [{}, ...series],
    axes: [axis, { ...axis, values: (_, ticks) => ticks.map((tick) => `${Math.round(tick * 100)} %`), size: 52 }],
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 0.05)] } },
    legend: { show: false }, cursor: { y: false, drag: { x: false, y: false } }, hooks: { setCursor: [tell], ready: [tell] },
  }, columns(bins, labels), drawing);
  new ResizeObserver(() => chart.setSize(size())).observe(drawing);
  return (others) => { chart.setData(columns(others, labels)); tell(chart); };
}

function columns(bins, labels) {
  const values = labels.flatMap((label) => {
    const shares = bins.map(([, { of, counts }]) => [(counts.get(label) ?? 0) / of, ...wilson(counts.get(label) ?? 0, of)]);
    return [shares.map(([share]) => share), shares.map(([, , high]) => high), shares.map(([, low]) => low)];
  });
  return [bins.map(([time]) => time / 1000), ...values];
}
