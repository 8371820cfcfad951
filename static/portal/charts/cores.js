// The heat map of cores: cells as rows for its chart, and the busiest cores of a time.

import { amount } from "./page.js";
import { drawn } from "./zones.js";

export function coreName(answer, row) {
  const first = row * answer.cores_per_row;
  const last = Math.min(first + answer.cores_per_row, answer.cores) - 1;
  return first === last ? `core ${first}` : `cores ${first}–${last}`;
}

export function coreRows(answer) {
  const rows = [];
  const step = answer.step_s * 1000;
  answer.timestamps.forEach((timestamp, at) => {
    answer.busy[at].forEach((value, row) => {
      if (value !== null) rows.push({ timestamp: drawn(timestamp), until: drawn(timestamp) + step, row, next: row + 1, value });
    });
  });
  const params = { rows: Math.max(1, Math.ceil(answer.cores / answer.cores_per_row)), cores_per_row: answer.cores_per_row };
  return { rows, params, note: answer.cores ? "" : "No samples of single cores in this period. They are kept as long as samples are." };
}

export const cellAt = (answer, time) => answer.timestamps.findIndex((start) => time >= start && time < start + answer.step_s * 1000);

// The busiest first, as [name, text].
export function busiest(answer, at, count = 5) {
  return answer.busy[at]
    .map((value, row) => [coreName(answer, row), value])
    .filter(([, value]) => value !== null)
    .sort((one, other) => other[1] - one[1])
    .slice(0, count)
    .map(([name, value]) => [name, `${amount(value)} %`]);
}
