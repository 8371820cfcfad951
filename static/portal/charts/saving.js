// What is shown, to take along: a link to exactly this view, and the drawn numbers as CSV.

import { columnsOf, instanceOf, isHidden, panelOf, valuesOf } from "./columns.js";
import { charts } from "./drawing.js";
import { page } from "./page.js";
import { answerOf } from "./reading.js";
import { fixedLink, view } from "./view.js";

const HEAD = ["timestamp", "machine_id", "chart", "instance", "series", "unit", "mean", "minimum", "maximum"];

// A text that a spreadsheet would take for a formula gets a quote before it.
const safe = (text) => (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text);
const cell = (value) => {
  const text = typeof value === "number" ? String(value) : safe(value ?? "");
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};
const second = (milliseconds) => new Date(milliseconds).toISOString().replace(".000Z", "Z");

function* rowsOf(figure) {
  const { series, unit, dataset } = panelOf(figure);
  const columns = series && answerOf(dataset) ? columnsOf(figure) : { timestamps: [] };
  for (const [at, timestamp] of columns.timestamps.entries()) {
    for (const [index, one] of series.entries()) {
      if (isHidden(figure, index)) continue;
      const [mean, low, high] = valuesOf(columns, one, at);
      if (mean === null) continue;
      yield [second(timestamp), page.machine_id, figure.dataset.panel, instanceOf(figure) ?? "", one.title, unit, mean, low, high];
    }
  }
}

function save(figures, name) {
  const lines = [HEAD];
  for (const figure of figures) lines.push(...rowsOf(figure));
  const text = `${lines.map((line) => line.map(cell).join(",")).join("\r\n")}\r\n`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const [start, end] = view.span.map((time) => new Date(time).toISOString().slice(0, 16).replace(/[-:]/g, ""));
  link.download = `perf_${page.machine_id.replaceAll(":", "-")}_${name}_${start}_${end}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

const isShown = (figure) => !figure.closest("details:not([open])");

document.getElementById("save-csv").addEventListener("click", () => save([...charts.keys()].filter(isShown), "charts"));
document.querySelector("main").addEventListener("click", (event) => {
  const button = event.target.closest("[data-csv]");
  if (button) save([button.closest("figure")], button.closest("figure").dataset.panel);
});

const copy = document.getElementById("copy-link");
copy.addEventListener("click", async () => {
  if (navigator.clipboard) await navigator.clipboard.writeText(fixedLink());
  else window.prompt("Link to this view", fixedLink());
  copy.textContent = "Copied";
  setTimeout(() => { copy.textContent = "Copy link"; }, 2000);
});
