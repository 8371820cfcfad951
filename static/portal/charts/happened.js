// What happened in the period: gaps with their reason, notes and reboots; as elements over the plots, and at a time.

import { element, page } from "./page.js";
import { answerOf } from "./reading.js";

const SLACK = 2000; // a gap is told from sample to sample, an event to the second
const ARRIVING = 5000;

// Samples come in batches: what is missing at the end is a gap only when the machine is late.
function isStillToCome([start, end], answer) {
  return Date.parse(end) >= answer.span[1] - ARRIVING && Date.parse(end) - Date.parse(start) < page.late_ms;
}

const milliseconds = ([start, end]) => [Date.parse(start), Date.parse(end)];

export function gaps() {
  const answer = answerOf("system");
  return answer ? answer.gaps.filter((gap) => !isStillToCome(gap, answer)).map(milliseconds) : [];
}

// What agents told: [since, until], kind and detail.
export const events = () => answerOf("events")?.events ?? [];
export const notes = () => answerOf("annotations")?.annotations ?? [];

const touches = (event, [start, end]) =>
  Date.parse(event.since) <= end + SLACK && Date.parse(event.until) >= start - SLACK;

export const loneEvents = () => {
  const found = gaps();
  return events().filter((event) => !found.some((gap) => touches(event, gap)));
};

export function why(period) {
  const told = events().filter((event) => touches(event, period));
  const sentences = told.map((event) => (page.reasons[event.kind] ?? event.kind) + (event.detail ? `: ${event.detail}` : ""));
  return [...new Set(sentences)].join("; ");
}

export const kindOf = (note) => page.kinds[note.kind] ?? note.kind;
export const sayNote = (note) => [kindOf(note), note.text].filter(Boolean).join(": ");

const within = (time, [start, end]) => time >= start && time <= end;

// Sentences on a time: why samples are missing, and what is noted within `reach` of it.
export function toldAt(time, reach) {
  const missing = gaps().filter((gap) => within(time, gap)).map((gap) => `No samples. ${why(gap)}`.trim());
  const noted = notes()
    .filter((note) => within(time, [Date.parse(note.at) - reach, Date.parse(note.until ?? note.at) + reach]))
    .map(sayNote);
  return [...missing, ...noted];
}

export function marksOf(span) {
  const shaded = gaps().filter(([start, end]) => end > span[0] && start < span[1]).map((gap) => [gap, "gap"]);
  const lasting = notes().filter((note) => note.until)
    .map((note) => [milliseconds([note.at, note.until]), `lasting ${note.kind}`]);
  const moments = notes().filter((note) => within(Date.parse(note.at), span));
  return [
    ...[...shaded, ...lasting].map(([period, name]) => stretched(element("div", "", name), period, span)),
    ...moments.map((note) => stretched(element("div", "", `moment ${note.kind}`), milliseconds([note.at, note.at]), span)),
  ];
}

export function stretched(part, [from, to], [start, end]) {
  const share = (time) => Math.min(1, Math.max(0, (time - start) / (end - start)));
  part.style.left = `${share(from) * 100}%`;
  if (to > from) part.style.width = `${(share(to) - share(from)) * 100}%`;
  return part;
}
