// Reads what the charts show, each source when it is in sight and due; keeps it up to date, and says when that fails.

import { iso, page, reason, say } from "./page.js";
import { advance, hear, periodKey, tell, view } from "./view.js";

const CACHED = 60; // answers of fixed periods: going back asks for nothing
const PROGRESS_AFTER = 300;

const sources = new Map(); // name → { address, query, every_s, isWanted, answer, key, readAt, pending }
const cache = new Map();
let timer = 0;
let inFlight = 0;
let ended = false;

export class Refusal extends Error {
  constructor(status, wait, sentence) {
    super(sentence || reason(status, wait));
    this.status = status;
    this.wait = wait;
  }
}

export async function ask(address, query) {
  return send(`${address}?${new URLSearchParams(query)}`, { headers: { Accept: "application/json" } });
}

export async function send(address, options) {
  let response;
  try {
    response = await fetch(address, options);
  } catch {
    throw new Refusal(0, 0);
  }
  if (!response.ok) throw new Refusal(response.status, Number(response.headers.get("Retry-After")) || 0);
  return response.status === 204 ? null : response.json();
}

export function declare(name, { address, query = {}, every_s, isWanted = () => true }) {
  sources.set(name, { address, query, every_s, isWanted, answer: null, key: "", readAt: 0, pending: "" });
}

// The newest answer, also while one for another period is under way; `span` is the period it is of.
export const answerOf = (name) => sources.get(name)?.answer ?? null;
export const isCurrent = (name) => sources.get(name).key === periodKey();
export const readAt = () => Math.max(...[...sources.values()].map((source) => source.readAt));

export function forget(name) {
  sources.get(name).key = "";
  for (const key of cache.keys()) if (key.startsWith(`${name}|`)) cache.delete(key);
}

function isDue(source, key) {
  if (!source.isWanted() || source.pending === key) return false;
  return source.key !== key || (view.range && Date.now() - source.readAt >= source.every_s * 1000 - 500);
}

async function read(name, source, key, span) {
  const cached = cache.get(`${name}|${key}`);
  source.pending = key;
  busy(1);
  try {
    const query = { machine_id: page.machine_id, ...source.query, start: iso(span[0]), end: iso(span[1]) };
    const found = cached ?? { ...(await ask(source.address, query)), span };
    if (periodKey() !== key) return;
    Object.assign(source, { answer: found, key, readAt: Date.now() });
    if (!view.range) remember(`${name}|${key}`, found);
    tell(`read:${name}`);
  } finally {
    if (source.pending === key) source.pending = "";
    busy(-1);
  }
}

function remember(key, answer) {
  cache.delete(key);
  cache.set(key, answer);
  if (cache.size > CACHED) cache.delete(cache.keys().next().value);
}

function busy(change) {
  inFlight += change;
  setTimeout(() => { document.body.classList.toggle("is-reading", inFlight > 0); }, inFlight ? PROGRESS_AFTER : 0);
}

export async function refresh() {
  clearTimeout(timer);
  if (document.hidden || ended) return; // visibilitychange calls again
  const [span, key] = [advance(), periodKey()];
  let wait = view.range ? page.refresh_s[view.range] : 0;
  const due = [...sources].filter(([, source]) => isDue(source, key));
  const results = await Promise.allSettled(due.map(([name, source]) => read(name, source, key, span)));
  const failed = results.find((result) => result.status === "rejected")?.reason;
  if (failed && !(failed instanceof Refusal)) throw failed;
  if (failed) wait = Math.max(failed.wait, 10, wait);
  say(failed ? failed.message : "");
  ended = failed ? [401, 403, 404].includes(failed.status) : false;
  clearTimeout(timer);
  if (wait && !ended) timer = setTimeout(refresh, wait * 1000);
}

hear("period", refresh);
document.addEventListener("visibilitychange", () => { if (!document.hidden && view.range) refresh(); });
