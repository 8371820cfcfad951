// Times in the zone that the pages show: the reader's own, or the one that an Admin chose for everybody.

export const zone = window.portal.zone || Intl.DateTimeFormat().resolvedOptions().timeZone;

const parts = new Intl.DateTimeFormat("en-US", {
  timeZone: zone, hourCycle: "h23", year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric",
  second: "numeric",
});
const QUARTER = 900000; // no zone changes its offset within one
const offsets = new Map();

// Milliseconds that the zone's wall clock is ahead of UTC at an instant.
function offset(time) {
  const quarter = Math.floor(time / QUARTER) * QUARTER;
  if (!offsets.has(quarter)) {
    const found = Object.fromEntries(parts.formatToParts(quarter).map(({ type, value }) => [type, Number(value)]));
    const wall = Date.UTC(found.year, found.month - 1, found.day, found.hour, found.minute, found.second);
    offsets.set(quarter, wall - quarter);
  }
  return offsets.get(quarter);
}

const isOwn = zone === Intl.DateTimeFormat().resolvedOptions().timeZone;

// Vega writes times in the browser's zone: the instant whose writing there is the one of our zone here.
export const drawn = (time) => (isOwn ? time : time + offset(time) + new Date(time).getTimezoneOffset() * 60000);

// What a datetime-local field shows, and the instant that was typed into one.
export const forField = (time) => new Date(time + offset(time)).toISOString().slice(0, 16);
export function fromField(text) {
  const wall = Date.parse(`${text}Z`);
  const near = wall - offset(wall);
  return wall - offset(near);
}
