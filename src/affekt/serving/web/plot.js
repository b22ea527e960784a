// Lines over time with their intervals.

import { colourOf } from "./colours.js";
import { wilson } from "./counting.js";
import uPlot from "./vendor/uplot.js";

const DASHES = [[], [8, 4], [2, 3], [12, 3, 2, 3], [5, 5]]; // lines are told apart without their colours too

/** Draw shares of labels; `bins` are [time in ms, {of, counts}], in order. Return a function that draws others. */
export function overTime(place, bins, labels) {
  const style = getComputedStyle(document.documentElement);
  const ink = style.getPropertyValue("--ink"), line = style.getPropertyValue("--line");
  const axis = { stroke: ink, grid: { stroke: line }, ticks: { stroke: line } };
  const percent = (value) => value == null ? "–" : `${(value * 100).toFixed(1)} %`;
  const series = labels.flatMap((label, i) => [
    { label, stroke: colourOf(label), width: 2, dash: DASHES[i % DASHES.length], value: (_, value) => percent(value), points: { show: bins.length < 40 } },
    { show: true, stroke: "transparent", label: `${label} high`, class: "bound", points: { show: false } },
    { show: true, stroke: "transparent", label: `${label} low`, class: "bound", points: { show: false } },
  ]);
  const bands = labels.map((label, i) => ({ series: [3 * i + 2, 3 * i + 3], fill: `${colourOf(label)}1f` }));
  const size = () => ({ width: Math.max(place.clientWidth, 280), height: 320 });
  const chart = new uPlot({
    ...size(), bands, series: [{}, ...series],
    axes: [axis, { ...axis, values: (_, values) => values.map((value) => `${Math.round(value * 100)} %`), size: 60 }],
    scales: { y: { range: (_, low, high) => [0, Math.max(high ?? 0, 0.05)] } },
    legend: { live: true },
  }, columns(bins, labels), place);
  new ResizeObserver(() => chart.setSize(size())).observe(place);
  return (others) => chart.setData(columns(others, labels));
}

function columns(bins, labels) {
  const values = labels.flatMap((label) => {
    const shares = bins.map(([, { of, counts }]) => [(counts.get(label) ?? 0) / of, ...wilson(counts.get(label) ?? 0, of)]);
    return [shares.map(([share]) => share), shares.map(([, , high]) => high), shares.map(([, low]) => low)];
  });
  return [bins.map(([time]) => time / 1000), ...values];
}
