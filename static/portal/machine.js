// The charts of one machine: reads its series, draws them with Vega as they come into view, keeps them up to date.

const page = JSON.parse(document.getElementById("page-data").textContent);
const { vegaEmbed } = window;
const ERRORS_ONLY = 1; // Vega warns of every chart that is still empty
const { say, reason, clock } = window.portal;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

const answers = new Map(); // dataset → its newest answer
const charts = new Map(); // figure → what is drawn in it
const OPEN_INSTANCES = 2;
let timer = 0;
let readAt = 0;
let events = []; // what the agent told of the period

const span = () => {
  const end = page.follows ? Date.now() : Date.parse(page.end);
  return [end - page.span_ms, end];
};

const iso = (milliseconds) => new Date(milliseconds).toISOString();
const local = (text) => clock.format(new Date(text));
const utc = (text) => `${new Date(text).toISOString().slice(0, 19).replace("T", " ")} UTC`;
const amount = (value) => (value === null || value === undefined ? "–" : Math.abs(value) >= 100 ? whole.format(value) : number.format(value));

class Refusal extends Error {
  constructor(status, wait) { super(reason(status, wait)); this.status = status; this.wait = wait; }
}

const read = (dataset, [start, end]) => ask(page.series, {
  machine_id: page.machine_id, dataset, start: iso(start), end: iso(end), points: page.points,
  metrics: page.metrics[dataset].join(","),
});

const readEvents = ([start, end]) => ask(page.events, { start: iso(start), end: iso(end) });

async function ask(address, query) {
  let response;
  try {
    response = await fetch(`${address}?${new URLSearchParams(query)}`, { headers: { Accept: "application/json" } });
  } catch {
    throw new Refusal(0, 0);
  }
  if (!response.ok) throw new Refusal(response.status, Number(response.headers.get("Retry-After")) || 0);
  return response.json();
}

async function refresh() {
  clearTimeout(timer);
  if (document.hidden) return; // visibilitychange calls again
  let wait = page.refresh_s;
  try {
    const period = span();
    const names = Object.keys(page.metrics);
    const [told, ...found] = await Promise.all([readEvents(period), ...names.map((name) => read(name, period))]);
    events = told.events;
    names.forEach((name, at) => answers.set(name, { ...found[at], period }));
    readAt = Date.now();
    say("");
    show();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    say(error.message);
    if ([401, 403, 404].includes(error.status)) return;
    wait = Math.max(error.wait, 10, wait);
  }
  if (wait) timer = setTimeout(refresh, wait * 1000);
}

function show() {
  showCoverage(answers.get("system"));
  for (const section of document.querySelectorAll("[data-instances]")) showInstances(section);
  for (const figure of document.querySelectorAll("[data-panel]")) if (charts.has(figure)) draw(figure);
}

function columnsOf(figure) {
  const answer = answers.get(page.panels[figure.dataset.panel].dataset);
  if (!answer) return null;
  const instance = figure.closest("[data-instance]")?.dataset.instance ?? null;
  const columns = answer.series.find((one) => one.instance === instance);
  return columns ?? { timestamps: [], mean: {}, minimum: {}, maximum: {} };
}

const turned = (value) => (value === null || value === undefined ? null : 100 - value);

function valuesOf(columns, one, at) {
  const mean = columns.mean[one.name]?.[at] ?? null;
  const low = columns.minimum[one.name]?.[at] ?? null;
  const high = columns.maximum[one.name]?.[at] ?? null;
  return one.complement ? [turned(mean), turned(high), turned(low)] : [mean, low, high];
}

function rowsOf(figure, columns) {
  const hidden = charts.get(figure).hidden;
  const rows = [];
  for (const one of page.panels[figure.dataset.panel].series) {
    if (hidden.has(one.title)) continue;
    columns.timestamps.forEach((timestamp, at) => {
      const [value, min, max] = valuesOf(columns, one, at);
      rows.push({ timestamp, metric: one.title, value, min, max });
    });
  }
  return rows;
}

async function draw(figure) {
  const columns = columnsOf(figure);
  if (!columns) return;
  const chart = charts.get(figure);
  const known = showLegend(figure, columns);
  const note = figure.querySelector(".note");
  note.textContent = columns.timestamps.length === 0 ? "No samples in this period"
    : known ? "" : "Not measured on this machine in this period";
  note.hidden = known;
  const [start, end] = answers.get(page.panels[figure.dataset.panel].dataset).period;
  const rows = rowsOf(figure, columns);
  if (!chart.view) {
    chart.view = embed(figure, rows, { start, end });
    return;
  }
  const view = await chart.view;
  await view.signal("start", start).signal("end", end).data("rows", rows).runAsync();
}

// Rows and period are inside from the start: the axes are laid out for them, and nothing jumps.
function filled(spec, rows, period) {
  const params = spec.params.map((param) => ({ ...param, value: period[param.name] ?? param.value }));
  return { ...spec, params, data: { ...spec.data, values: rows } };
}

async function embed(figure, rows, period) {
  const spec = filled(page.panels[figure.dataset.panel].spec, rows, period);
  const target = document.createElement("div");
  target.className = "drawing";
  figure.querySelector(".chart").append(target);
  const { view } = await vegaEmbed(target, spec, {
    ast: true, actions: false, logLevel: ERRORS_ONLY, defaultStyle: false, renderer: "canvas", config: theme(),
    tooltip: (handler, event, item, value) => showTip(figure, event, item, value),
  });
  return view;
}

const theme = () => ({ ...(dark.matches ? page.themes.dark : page.themes.light), padding: { left: 2, right: 6, top: 6, bottom: 2 } });

function newest(columns, one) {
  for (let at = columns.timestamps.length - 1; at >= 0; at -= 1) {
    const [value] = valuesOf(columns, one, at);
    if (value !== null) return value;
  }
  return null;
}

function showLegend(figure, columns) {
  let known = false;
  const { series } = page.panels[figure.dataset.panel];
  figure.querySelectorAll(".legend button").forEach((button, at) => {
    const value = newest(columns, series[at]);
    known ||= value !== null;
    button.querySelector("b").textContent = amount(value);
    button.querySelector(".swatch").style.background = theme().range.category[at % theme().range.category.length];
  });
  return known;
}

// Samples come in batches: what is missing at the end is a gap only when the machine is late.
function isStillToCome([start, end], answer) {
  return Date.parse(end) >= answer.period[1] - 5000 && Date.parse(end) - Date.parse(start) < page.late_ms;
}

function showCoverage(answer) {
  const line = document.getElementById("coverage");
  const gaps = document.getElementById("gaps");
  const found = answer.gaps.filter((gap) => !isStillToCome(gap, answer));
  const many = found.length;
  if (!answer.samples) {
    line.textContent = "No samples in this period.";
  } else {
    const every = answer.interval_s >= 120 ? `${amount(answer.interval_s / 60)} min` : `${amount(answer.interval_s)} s`;
    const step = answer.step_s ? `, drawn as means of ${answer.step_s >= 120 ? `${amount(answer.step_s / 60)} min` : `${answer.step_s} s`}` : "";
    const share = Math.min(Math.round(answer.coverage * 1000) / 10, many ? 99.9 : 100);
    line.textContent = `${share} % of the expected samples are here: ${answer.samples.toLocaleString()}, one every ${every}${step}. `
      + (many ? `${many} ${many === 1 ? "gap" : "gaps"}.` : "No gaps.");
  }
  const lone = events.filter((event) => !found.some((gap) => touches(event, gap))).map((event) => [event.since, event.until]);
  const listed = [...found, ...lone].sort((one, other) => Date.parse(one[0]) - Date.parse(other[0]));
  gaps.hidden = !listed.length;
  gaps.querySelector("ol").replaceChildren(...listed.slice(-50).reverse().map(gapItem));
  gaps.querySelector("summary").textContent = listed.length > 50 ? "Newest 50 gaps and events" : many ? "Gaps and why" : "Events";
  const fresh = document.getElementById("freshness");
  fresh.textContent = `Times in ${zone}${page.follows ? ` · read ${new Date(readAt).toLocaleTimeString()}` : ""}`;
}

// A gap is told from sample to sample, an event to the second.
const SLACK = 2000;
const touches = (event, [start, end]) =>
  Date.parse(event.since) <= Date.parse(end) + SLACK && Date.parse(event.until) >= Date.parse(start) - SLACK;

function why(period) {
  const told = events.filter((event) => touches(event, period));
  const sentences = told.map((event) => (page.reasons[event.kind] ?? event.kind) + (event.detail ? `: ${event.detail}` : ""));
  return [...new Set(sentences)].join("; ");
}

function gapItem([start, end]) {
  const item = document.createElement("li");
  const seconds = (Date.parse(end) - Date.parse(start)) / 1000;
  const long = seconds >= 7200 ? `${amount(seconds / 3600)} h` : seconds >= 120 ? `${amount(seconds / 60)} min` : `${amount(seconds)} s`;
  const reason = why([start, end]);
  item.textContent = `${local(start)} – ${local(end)} (${long})${reason ? `. ${reason}.` : ""}`;
  item.title = `${utc(start)} – ${utc(end)}`;
  return item;
}

function showInstances(section) {
  const answer = answers.get(section.dataset.instances);
  const names = answer.series.map((one) => one.instance);
  const have = new Map([...section.querySelectorAll("[data-instance]")].map((one) => [one.dataset.instance, one]));
  const empty = section.querySelector("[data-empty]");
  empty.hidden = names.length > 0;
  empty.textContent = section.querySelector("[data-none]").textContent;
  names.filter((name) => !have.has(name)).forEach((name) => {
    const made = section.querySelector("template").content.firstElementChild.cloneNode(true);
    made.dataset.instance = name;
    made.querySelector("summary b").textContent = name;
    made.open = names.length <= OPEN_INSTANCES;
    section.append(made);
    made.querySelectorAll("[data-panel]").forEach(prepare);
  });
}

const seen = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (!isIntersecting) continue;
    seen.unobserve(target);
    charts.set(target, { hidden: new Set() });
    draw(target);
  }
}, { rootMargin: "300px" });

function prepare(figure) {
  seen.observe(figure);
  figure.querySelector(".legend").addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button || !charts.has(figure)) return;
    const { hidden } = charts.get(figure);
    const on = hidden.delete(button.dataset.series);
    if (!on) hidden.add(button.dataset.series);
    button.setAttribute("aria-pressed", String(on));
    draw(figure);
  });
}

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
document.body.append(tip);

function showTip(figure, event, item, value) {
  const timestamp = item?.datum?.timestamp ?? item?.datum?.datum?.timestamp;
  tip.hidden = !value || timestamp === undefined;
  if (tip.hidden) return;
  const rows = [];
  const columns = columnsOf(figure);
  const at = columns.timestamps.indexOf(Number(timestamp));
  page.panels[figure.dataset.panel].series.forEach((one, index) => {
    if (charts.get(figure).hidden.has(one.title)) return;
    rows.push(tipRow(one, valuesOf(columns, one, at), index, page.panels[figure.dataset.panel].unit));
  });
  const when = document.createElement("p");
  when.textContent = local(Number(timestamp));
  const inUtc = document.createElement("p");
  inUtc.className = "quiet";
  inUtc.textContent = utc(Number(timestamp));
  tip.replaceChildren(when, inUtc, ...rows);
  const left = event.clientX + 16 + tip.offsetWidth > window.innerWidth ? event.clientX - 16 - tip.offsetWidth : event.clientX + 16;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.min(event.clientY + 12, window.innerHeight - tip.offsetHeight - 4)}px`;
}

function tipRow(one, [mean, low, high], index, unit) {
  const row = document.createElement("div");
  const swatch = document.createElement("span");
  swatch.className = "swatch";
  swatch.style.background = theme().range.category[index];
  const name = document.createElement("span");
  name.textContent = one.title;
  const shown = document.createElement("b");
  shown.textContent = `${amount(mean)} ${mean === null ? "" : unit}`.trim();
  row.append(swatch, name, shown);
  if (low !== null && high !== null && mean !== null) {
    const range = document.createElement("small");
    range.textContent = `${amount(low)} – ${amount(high)}`;
    row.append(range);
  }
  return row;
}

async function redraw() {
  for (const [figure, chart] of charts) {
    if (!chart.view) continue;
    (await chart.view).finalize();
    figure.querySelector(".drawing").remove();
    chart.view = undefined;
    draw(figure);
  }
}

// The address carries instants in UTC; the fields show the reader's own time.
function fillPeriod() {
  const form = document.getElementById("period");
  const [start, end] = span();
  const field = (milliseconds) => iso(milliseconds - new Date(milliseconds).getTimezoneOffset() * 60000).slice(0, 16);
  form.elements.from.value = field(start);
  form.elements.to.value = field(end);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const query = new URLSearchParams({
      from: iso(new Date(form.elements.from.value).getTime()), to: iso(new Date(form.elements.to.value).getTime()),
    });
    window.location.search = query.toString();
  });
}

fillPeriod();
document.querySelectorAll("[data-panel]").forEach(prepare);
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && page.follows && Date.now() - readAt > page.refresh_s * 1000) refresh();
});
dark.addEventListener("change", redraw);
refresh();
