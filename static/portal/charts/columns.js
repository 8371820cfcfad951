// The numbers of one chart: its columns in the newest answer, values at an index, the index at a time.

import { isKnown, page } from "./page.js";
import { answerOf } from "./reading.js";
import { view } from "./view.js";

export const panelOf = (figure) => page.panels[figure.dataset.panel];
export const instanceOf = (figure) => figure.closest("[data-instance]")?.dataset.instance ?? null;
export const hiddenKey = (figure, index) => `${figure.dataset.panel}.${index}`;
export const isHidden = (figure, index) => view.hidden.has(hiddenKey(figure, index));

const EMPTY = { timestamps: [], mean: {}, minimum: {}, maximum: {} };

// Null while nothing is read yet; empty columns when there are no samples.
export function columnsOf(figure) {
  const answer = answerOf(panelOf(figure).dataset);
  if (!answer) return null;
  const instance = instanceOf(figure);
  return answer.series.find((one) => one.instance === instance) ?? EMPTY;
}

const turned = (value) => (isKnown(value) ? 100 - value : null);

// [mean, lowest, highest] of one series; the latter null where the mean is the sample itself.
export function valuesOf(columns, one, at) {
  const mean = columns.mean[one.name]?.[at] ?? null;
  const low = columns.minimum[one.name]?.[at] ?? null;
  const high = columns.maximum[one.name]?.[at] ?? null;
  return one.complement ? [turned(mean), turned(high), turned(low)] : [mean, low, high];
}

export function newest(columns, one) {
  for (let at = columns.timestamps.length - 1; at >= 0; at -= 1) {
    const [value] = valuesOf(columns, one, at);
    if (value !== null) return value;
  }
  return null;
}

// Index of the moment nearest to a time, by halving; −1 where none is near.
export function indexAt(timestamps, time, reach) {
  let [low, high] = [0, timestamps.length - 1];
  if (high < 0) return -1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (timestamps[middle] <= time) low = middle; else high = middle;
  }
  const at = Math.abs(timestamps[low] - time) <= Math.abs(timestamps[high] - time) ? low : high;
  return Math.abs(timestamps[at] - time) <= reach ? at : -1;
}

export const reachOf = (answer) => 1500 * (answer.step_s ?? answer.interval_s);
