// The values at the pointed time: in the legends, and in a tip at the pointer. The newest ones while nothing is pointed at.

import { columnsOf, indexAt, isHidden, newest, panelOf, reachOf, valuesOf } from "./columns.js";
import { busiest, cellAt } from "./cores.js";
import { charts, visible } from "./drawing.js";
import { toldAt } from "./happened.js";
import { amount, element, local, utc } from "./page.js";
import { pointed, pointer } from "./pointing.js";
import { answerOf } from "./reading.js";
import { colour } from "./vega.js";
import { hear, view } from "./view.js";

const tip = element("div", "", "tip");
tip.hidden = true;
document.body.append(tip);

// [[mean, low, high] of each series] at a time; null where there is no sample near it.
function valuesAt(figure, time) {
  const columns = columnsOf(figure);
  const answer = answerOf(panelOf(figure).dataset);
  const at = columns ? indexAt(columns.timestamps, time, reachOf(answer)) : -1;
  return at < 0 ? null : { timestamp: columns.timestamps[at], values: panelOf(figure).series.map((one) => valuesOf(columns, one, at)) };
}

function showLegends() {
  const time = pointed();
  for (const figure of time === null ? charts.keys() : visible()) {
    const { series } = panelOf(figure);
    const columns = series && columnsOf(figure);
    if (!columns) continue;
    const found = time === null ? null : valuesAt(figure, time);
    showLegend(figure, series.map((one, index) => (time === null ? newest(columns, one) : found?.values[index][0] ?? null)));
  }
}

function showLegend(figure, values) {
  figure.querySelectorAll(".legend button").forEach((button, index) => {
    button.setAttribute("aria-pressed", String(!isHidden(figure, index)));
    button.querySelector("b").textContent = amount(values[index]);
    button.querySelector(".swatch").style.background = colour(index);
  });
}

function showTip() {
  const { time, figure, x, y } = pointer;
  tip.hidden = time === null || !figure;
  if (tip.hidden) return;
  const found = panelOf(figure).series ? valuesAt(figure, time) : null;
  const when = found?.timestamp ?? time;
  const reach = (view.span[1] - view.span[0]) / 150;
  const told = toldAt(time, reach).map((sentence) => element("p", sentence, "told"));
  const rows = panelOf(figure).series ? seriesRows(figure, found) : coreTipRows(time);
  tip.replaceChildren(element("p", local(when)), element("p", utc(when), "quiet"), ...rows, ...told);
  const left = x + 16 + tip.offsetWidth > window.innerWidth ? x - 16 - tip.offsetWidth : x + 16;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, Math.min(y + 12, window.innerHeight - tip.offsetHeight - 4))}px`;
}

function seriesRows(figure, found) {
  const { series, unit } = panelOf(figure);
  if (!found) return [];
  return series.flatMap((one, index) => (isHidden(figure, index) ? [] : [seriesRow(one, found.values[index], index, unit)]));
}

function seriesRow(one, [mean, low, high], index, unit) {
  const row = tipRow(one.title, `${amount(mean)} ${mean === null ? "" : unit}`.trim());
  const swatch = element("span", "", "swatch");
  swatch.style.background = colour(index);
  row.prepend(swatch);
  if (low !== null && high !== null) row.append(element("small", `${amount(low)} – ${amount(high)}`));
  return row;
}

function tipRow(name, text) {
  const row = element("div");
  row.append(element("span", name), element("b", text));
  return row;
}

function coreTipRows(time) {
  const answer = answerOf("cores");
  const at = answer ? cellAt(answer, time) : -1;
  return at < 0 ? [] : busiest(answer, at).map(([name, text]) => tipRow(name, text));
}

hear("point", () => { showLegends(); showTip(); });
hear("pin", showLegends);
