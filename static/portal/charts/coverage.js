// How much of the period is there, where the gaps are and why, and when it was read.

import { events, gaps, loneEvents, why } from "./happened.js";
import { amount, duration, element, local, utc } from "./page.js";
import { answerOf, readAt } from "./reading.js";
import { hear, view } from "./view.js";
import { zone } from "./zones.js";

const LISTED = 50;

function sentence(answer, count) {
  if (!answer.samples) return "No samples in this period.";
  const step = answer.step_s ? `, drawn as means of ${duration(answer.step_s)}` : "";
  const share = Math.min(Math.round(answer.coverage * 1000) / 10, count ? 99.9 : 100);
  const told = count ? `${count} ${count === 1 ? "gap" : "gaps"}.` : "No gaps.";
  return `${share} % of the expected samples are here: ${answer.samples.toLocaleString()}, one every `
    + `${duration(answer.interval_s)}${step}. ${told}`;
}

function item([start, end]) {
  const reason = why([start, end]);
  const made = element("li", `${local(start)} – ${local(end)} (${duration((end - start) / 1000)})${reason ? `. ${reason}.` : ""}`);
  made.title = `${utc(start)} – ${utc(end)}`;
  return made;
}

function show() {
  const answer = answerOf("system");
  if (!answer) return;
  const found = gaps();
  const lone = loneEvents().map((event) => [Date.parse(event.since), Date.parse(event.until)]);
  const listed = [...found, ...lone].sort((one, other) => one[0] - other[0]);
  document.getElementById("coverage").textContent = sentence(answer, found.length);
  const list = document.getElementById("gaps");
  list.hidden = !listed.length;
  list.querySelector("ol").replaceChildren(...listed.slice(-LISTED).reverse().map(item));
  list.querySelector("summary").textContent = listed.length > LISTED ? `Newest ${LISTED} gaps and events`
    : found.length ? "Gaps and why" : events().length ? "Events" : "Gaps";
  const read = view.range ? ` · read ${new Date(readAt()).toLocaleTimeString()}` : "";
  document.getElementById("freshness").textContent = `Times in ${zone}${read}`;
}

hear("read:system", show);
hear("read:events", show);
