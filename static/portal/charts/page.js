// What the page was given, and how numbers and times are written on it.

export const page = JSON.parse(document.getElementById("page-data").textContent);
export const { say, reason, clock } = window.portal;

const number = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });

export const isKnown = (value) => value !== null && value !== undefined;
export const amount = (value) => (!isKnown(value) ? "–" : Math.abs(value) >= 100 ? whole.format(value) : number.format(value));
export const iso = (milliseconds) => new Date(milliseconds).toISOString();
export const local = (time) => clock.format(new Date(time));
export const utc = (time) => `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} UTC`;

export function duration(seconds) {
  if (seconds >= 172800) return `${amount(seconds / 86400)} d`;
  if (seconds >= 7200) return `${amount(seconds / 3600)} h`;
  return seconds >= 120 ? `${amount(seconds / 60)} min` : `${amount(seconds)} s`;
}

export function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
