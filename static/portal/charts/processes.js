// The busiest processes at the pointed time: of a few instants of the period, and of the very sample where a time is pinned.

import { amount, element, iso, local, page, utc } from "./page.js";
import { pointed } from "./pointing.js";
import { answerOf, ask, Refusal } from "./reading.js";
import { hear, view } from "./view.js";

const SHOWN = 9;
const AROUND = 150000; // ms on each side of a pinned time
const card = document.getElementById("processes");
let exact = null; // the instant nearest to the pinned time

function nearest(instants, time) {
  const distance = (one) => Math.abs(one.timestamp - time);
  return instants.reduce((best, one) => (best && distance(best) <= distance(one) ? best : one), null);
}

function instant() {
  const answer = answerOf("processes");
  if (!answer) return undefined;
  const time = pointed() ?? answer.span[1];
  if (exact && pointed() === view.pinned) return exact;
  return nearest(answer.instants, time);
}

function row(process) {
  const made = element("tr");
  const name = element("th", process.name ?? "–");
  name.scope = "row";
  name.title = `pid ${process.pid}`;
  const cells = [process.user ?? "–", amount(process.cpu), amount(process.rss_mb)].map((text) => element("td", text));
  made.append(name, ...cells);
  return made;
}

let shown;

function show() {
  const found = instant();
  if (found === undefined || found === shown) return;
  shown = found;
  card.querySelector(".note").hidden = Boolean(found);
  card.querySelector(".note").textContent = found ? "" : "No samples of processes in this period. They are kept as long as samples are.";
  card.querySelector("table").hidden = !found;
  const when = card.querySelector("time");
  when.textContent = found ? local(found.timestamp) : "";
  when.title = found ? utc(found.timestamp) : "";
  card.querySelector("tbody").replaceChildren(...(found ? found.processes.slice(0, SHOWN).map(row) : []));
}

async function readExact() {
  const time = view.pinned;
  exact = null;
  if (time === null) return show();
  try {
    const query = { machine_id: page.machine_id, start: iso(time - AROUND), end: iso(time + AROUND), points: 60 };
    const found = await ask(page.addresses.processes, query);
    if (view.pinned === time) exact = nearest(found.instants, time);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the sampled instants stay
  }
  return show();
}

hear("point", show);
hear("pin", readExact);
hear("read:processes", show);
if (view.pinned !== null) readExact();
