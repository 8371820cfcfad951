// Draws one specification with Vega, in the colours of the mode, and says where its plot lies.

import { page } from "./page.js";

const ERRORS_ONLY = 1; // Vega warns of every chart that is still empty
const LABELS = 38; // room for the y labels, so that the time axes of all charts stand below each other

export const dark = window.matchMedia("(prefers-color-scheme: dark)");

export function theme() {
  const found = dark.matches ? page.themes.dark : page.themes.light;
  return { ...found, axisY: { ...found.axisY, minExtent: LABELS }, padding: { left: 2, right: 6, top: 6, bottom: 2 } };
}

export const colour = (index) => theme().range.category[index % theme().range.category.length];

// Rows and parameters are inside from the start: the axes are laid out for them, and nothing jumps.
function filled(spec, rows, params) {
  const given = (spec.params ?? []).map((param) => ({ ...param, value: params[param.name] ?? param.value }));
  return { ...spec, params: given, data: { ...spec.data, values: rows } };
}

export async function embed(chart, spec, rows, params) {
  const target = document.createElement("div");
  target.className = "drawing";
  chart.prepend(target);
  const { view } = await window.vegaEmbed(target, filled(spec, rows, params), {
    ast: true, actions: false, logLevel: ERRORS_ONLY, defaultStyle: false, renderer: "canvas", config: theme(),
    tooltip: () => {},
  });
  return view;
}

export async function update(view, rows, params) {
  for (const [name, value] of Object.entries(params)) view.signal(name, value);
  await view.data("rows", rows).runAsync();
}

// Pixels of the plot inside its drawing.
export function plotOf(view) {
  const [[x, y], padding] = [view.origin(), view.padding()];
  return { left: x + padding.left, top: y + padding.top, width: view.width(), height: view.height() };
}
