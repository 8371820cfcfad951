// The charts of Compare: drawn once, with the values of every side at the hour that is pointed at.

import { amount, element, page } from "./page.js";
import { colour, dark, embed, plotOf } from "./vega.js";

const DAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const written = new Intl.DateTimeFormat(undefined, { timeZone: "UTC", weekday: "short", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
const HOUR = { hour: 1, timestamp: 3600000 };
const drawn = new Map(); // figure → { view, over, cross }

const two = (number) => String(number).padStart(2, "0");
const where = {
  hour: (at) => `${DAYS[Math.floor(at / 24) % 7]} ${two(Math.floor(at) % 24)}:00`,
  timestamp: (at) => written.format(Math.floor(at / HOUR.timestamp) * HOUR.timestamp),
};

// title → position → value
function columnsOf({ rows, field }) {
  const columns = new Map(page.titles.map((title) => [title, new Map()]));
  for (const row of rows) columns.get(row.metric).set(Math.floor(row[field] / HOUR[field]), row.value);
  return columns;
}

async function draw(figure) {
  const chart = page.charts[figure.dataset.chart];
  figure.querySelectorAll(".swatch").forEach((swatch, index) => { swatch.style.background = colour(index); });
  const holder = figure.querySelector(".chart");
  const view = await embed(holder, chart.spec, chart.rows, { start: chart.domain[0], end: chart.domain[1] });
  const over = element("div", "", "over");
  const cross = element("div", "", "cross");
  cross.hidden = true;
  over.append(cross);
  holder.append(over);
  drawn.set(figure, { view, over, cross, columns: columnsOf(chart) });
  place(figure);
  over.addEventListener("pointermove", (event) => {
    const box = over.getBoundingClientRect();
    point(Math.min(0.9999, Math.max(0, (event.clientX - box.left) / box.width)));
  });
  over.addEventListener("pointerleave", () => point(null));
}

function place(figure) {
  const { view, over } = drawn.get(figure);
  for (const [side, pixels] of Object.entries(plotOf(view))) over.style[side] = `${pixels}px`;
}

// share: of the time axis, which all charts have in common.
function point(share) {
  for (const [figure, { cross, columns }] of drawn) {
    const { domain: [start, end], field } = page.charts[figure.dataset.chart];
    const at = share === null ? null : start + share * (end - start);
    cross.hidden = share === null;
    if (share !== null) cross.style.left = `${share * 100}%`;
    figure.querySelector("[data-where]").textContent = at === null ? "" : where[field](at);
    figure.querySelectorAll(".legend b").forEach((value, index) => {
      value.textContent = at === null ? "–" : amount(columns.get(page.titles[index]).get(Math.floor(at / HOUR[field])));
    });
  }
}

async function drawAll() {
  for (const figure of document.querySelectorAll("[data-chart]")) {
    drawn.get(figure)?.view.finalize();
    figure.querySelector(".chart").replaceChildren(...figure.querySelectorAll(".note"));
    if (page.charts[figure.dataset.chart].rows.length) await draw(figure);
  }
}

dark.addEventListener("change", drawAll);
window.addEventListener("resize", () => setTimeout(() => { for (const figure of drawn.keys()) place(figure); }, 100));
drawAll();
