// Draws the charts that are in sight, and draws them again when their numbers change.

import { columnsOf, hiddenKey, isHidden, newest, panelOf, valuesOf } from "./columns.js";
import { coreRows } from "./cores.js";
import { cover, place } from "./overlay.js";
import { point } from "./pointing.js";
import { answerOf } from "./reading.js";
import { dark, embed, plotOf, update } from "./vega.js";
import { hear, set, view } from "./view.js";
import { drawn } from "./zones.js";

export const charts = new Map(); // figure → { view, span, isVisible, drawn, isBusy, isAgain }

const inSight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    charts.get(target).isVisible = isIntersecting;
    if (isIntersecting) draw(target);
  }
}, { rootMargin: "300px" });

export function prepare(figure) {
  charts.set(figure, { view: null, span: null, isVisible: false, drawn: "", isBusy: false, isAgain: false });
  cover(holderOf(figure), () => charts.get(figure).span, figure);
  inSight.observe(figure);
  figure.querySelector(".legend").addEventListener("click", (event) => toggle(figure, event.target.closest("button")));
}

const holderOf = (figure) => figure.querySelector(".chart");

function toggle(figure, button) {
  if (!button) return;
  const index = [...figure.querySelectorAll(".legend button")].indexOf(button);
  set("hidden", hiddenKey(figure, index), !isHidden(figure, index));
  for (const other of charts.keys()) if (other.dataset.panel === figure.dataset.panel) draw(other, true);
}

export const visible = () => [...charts].filter(([, chart]) => chart.isVisible).map(([figure]) => figure);

// One drawing of a chart at a time; what changes meanwhile is drawn after it.
export async function draw(figure, isChanged = false) {
  const chart = charts.get(figure);
  if (isChanged) chart.drawn = "";
  if (!chart.isVisible) return;
  chart.isAgain = chart.isBusy;
  if (chart.isBusy) return;
  chart.isBusy = true;
  try {
    await drawNow(figure, chart);
  } finally {
    chart.isBusy = false;
  }
  if (chart.isAgain) await draw(figure);
}

async function drawNow(figure, chart) {
  const panel = panelOf(figure);
  const answer = answerOf(panel.dataset);
  const state = answer && `${answer.span} ${view.span}`;
  if (!answer || chart.drawn === state) return;
  chart.drawn = state;
  chart.span = view.range ? view.span : answer.span;
  const { rows, params, note } = panel.dataset === "cores" ? coreRows(answer) : seriesRows(figure);
  showNote(figure, note);
  const given = { ...params, start: drawn(chart.span[0]), end: drawn(chart.span[1]) };
  if (chart.view) await update(chart.view, rows, given);
  else chart.view = await embed(holderOf(figure), panel.spec, rows, given);
  place(holderOf(figure), plotOf(chart.view));
  point({});
}

function seriesRows(figure) {
  const columns = columnsOf(figure);
  const { series } = panelOf(figure);
  const rows = [];
  series.forEach((one, index) => {
    if (isHidden(figure, index)) return;
    columns.timestamps.forEach((timestamp, at) => {
      const [value, min, max] = valuesOf(columns, one, at);
      rows.push({ timestamp: drawn(timestamp), metric: one.title, value, min, max });
    });
  });
  const isMeasured = series.some((one) => newest(columns, one) !== null);
  const note = !columns.timestamps.length ? "No samples in this period"
    : isMeasured ? "" : "Not measured on this machine in this period";
  return { rows, params: {}, note };
}

function showNote(figure, text) {
  const note = figure.querySelector(".note");
  note.textContent = text;
  note.hidden = !text;
}

export function drawSource(name) {
  point({}); // the values of the legends, also out of sight
  for (const figure of visible()) if (panelOf(figure).dataset === name) draw(figure);
}

// A following period moves under charts whose numbers are not due yet.
export function drawAll() {
  for (const figure of visible()) draw(figure);
}

function replaceAll() {
  for (const [figure, chart] of charts) if (chart.view) place(holderOf(figure), plotOf(chart.view));
}

hear("parts", () => { for (const figure of charts.keys()) draw(figure, true); });
// Vega takes the new width in its own handler of the same event, and draws in the next frame.
window.addEventListener("resize", () => setTimeout(replaceAll, 100));
dark.addEventListener("change", () => {
  for (const [figure, chart] of charts) {
    chart.view?.finalize();
    figure.querySelector(".drawing")?.remove();
    chart.view = null;
    draw(figure, true);
  }
});
