// Which view the page shows: period, hidden series, open parts, pinned time. The address always says it, so a link reopens it.

import { iso, page } from "./page.js";

const SHORTEST = 60000;
const FALLBACK = "6h";

export const view = {
  range: page.range, // name of a range that ends now; empty: fixed instants
  span: [Date.parse(page.start), Date.parse(page.end)],
  pinned: null, // ms
  hidden: new Set(), // panel.series, as cpu-mode.0
  closed: new Set(), // sections
  open: new Set(), // dataset/instance
  shut: new Set(),
};

const bus = new EventTarget();
export const tell = (name) => bus.dispatchEvent(new Event(name));
export const hear = (name, act) => bus.addEventListener(name, act);

// A following period moves on with every reading; the charts of one reading share it.
export function advance() {
  if (view.range) view.span = [Date.now() - page.ranges[view.range], Date.now()];
  return view.span;
}

export const periodKey = () => view.range || view.span.join("-");

const LISTS = ["hidden", "closed", "open", "shut"];

function query(period) {
  const found = new URLSearchParams(period);
  if (view.pinned !== null) found.set("at", iso(view.pinned));
  for (const list of LISTS) for (const key of view[list]) found.append(list, key);
  return `?${found}`;
}

const fixed = () => ({ from: iso(view.span[0]), to: iso(view.span[1]) });
const address = () => query(view.range ? { range: view.range } : fixed());

// The very instants that are on screen, also of a period that follows the clock.
export const fixedLink = () => new URL(query(fixed()), window.location.href).href;

function keep() {
  window.history.replaceState(null, "", address());
}

function enter() {
  window.history.pushState(null, "", address());
  tell("period");
}

export function show(start, end) {
  const middle = (start + end) / 2;
  const half = Math.min(Math.max(end - start, SHORTEST), page.longest_ms) / 2;
  view.range = "";
  view.span = [Math.round(middle - half), Math.round(middle + half)];
  enter();
}

export function follow(range) {
  view.range = range;
  advance();
  enter();
}

// factor 0.5: half as long; shift 0.5: half a length later.
export function scale(factor, around = (view.span[0] + view.span[1]) / 2) {
  const [start, end] = view.span;
  show(around - (around - start) * factor, around + (end - around) * factor);
}

export function shift(share) {
  const [start, end] = view.span;
  const step = (end - start) * share;
  if (share > 0 && end + step >= Date.now() && view.range) return;
  show(start + step, end + step);
}

export function pin(time) {
  view.pinned = time;
  keep();
  tell("pin");
}

export function set(list, key, on) {
  if (on) view[list].add(key); else view[list].delete(key);
  keep();
}

function restore() {
  const found = new URLSearchParams(window.location.search);
  const instants = [Date.parse(found.get("from")), Date.parse(found.get("to"))];
  if (instants.every(Number.isFinite)) [view.range, view.span] = ["", instants];
  else view.range = found.get("range") in page.ranges ? found.get("range") : page.range || FALLBACK;
  restoreParts(found);
  advance();
}

function restoreParts(found) {
  const at = Date.parse(found.get("at"));
  view.pinned = Number.isFinite(at) ? at : null;
  for (const list of LISTS) view[list] = new Set(found.getAll(list));
}

restoreParts(new URLSearchParams(window.location.search));
keep();
window.addEventListener("popstate", () => { restore(); tell("parts"); tell("period"); });
