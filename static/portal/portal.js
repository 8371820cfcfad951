// What every page needs: times in the reader's zone, copy buttons, menus, and refreshing that says when it fails.
"use strict";

// The reader's own zone, unless an Admin chose one for everybody.
const zone = document.documentElement.dataset.zone || undefined;
const clock = new Intl.DateTimeFormat(undefined, {
  timeZone: zone,
  year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  timeZoneName: "short",
});

const hour = new Intl.DateTimeFormat(undefined, { timeZone: zone, hour: "2-digit", minute: "2-digit", timeZoneName: "short" });

function localise(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    if (time.dataset.local) continue;
    time.dataset.local = "1";
    if ("clock" in time.dataset) time.textContent = hour.format(new Date(time.dateTime));
    time.title = `${clock.format(new Date(time.dateTime))}\n${time.title}`;
  }
}

function offerCopy(root) {
  if (!navigator.clipboard) return;
  for (const button of root.querySelectorAll("[data-copy]")) button.hidden = false;
}

function offerDownload(root) {
  for (const button of root.querySelectorAll("[data-download]")) button.hidden = false;
}

// What is shown once is made a file here, in the browser: the portal does not keep it.
function download(button) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([button.parentElement.querySelector("code").textContent]));
  link.download = button.dataset.download;
  link.click();
  URL.revokeObjectURL(link.href);
}

async function copy(button) {
  await navigator.clipboard.writeText(button.parentElement.querySelector("code").textContent);
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
}

function say(sentence) {
  const trouble = document.getElementById("trouble");
  if (trouble.textContent !== sentence) trouble.textContent = sentence;
  trouble.hidden = !sentence;
}

function reason(status, wait) {
  const again = wait ? `Trying again in ${wait} s.` : "Trying again.";
  if (status === 401) return "You are signed out. Reload the page to sign in.";
  if (status === 403) return "You may not see this any more. Ask an Admin of this portal.";
  if (status === 404) return "This is not here any more. Go back to the fleet.";
  if (status === 429) return `Too many requests from your address. ${again}`;
  if (status === 503) return `The portal's database is away. What you see may be old. ${again}`;
  if (status >= 500) return `The portal has a problem (${status}). What you see may be old. ${again}`;
  if (status) return `The portal refused the request (${status}).`;
  return `The portal cannot be reached. What you see may be old. ${again}`;
}

window.portal = { localise, say, reason, clock, zone };

// On a phone the menu scrolls; the entry of this page must be in sight.
function showPlace() {
  const nav = document.querySelector(".nav");
  const here = nav?.querySelector("[aria-current]");
  if (here) nav.scrollLeft = here.offsetLeft - (nav.clientWidth - here.offsetWidth) / 2;
}

// A form that asks for a time zone offers the reader's own.
function offerZone() {
  for (const field of document.querySelectorAll("[data-own-zone]")) {
    if (field.value === field.defaultValue && field.value === "UTC") field.value = Intl.DateTimeFormat().resolvedOptions().timeZone;
  }
}

document.addEventListener("DOMContentLoaded", () => { offerZone(); localise(document); offerCopy(document); offerDownload(document); showPlace(); });

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
  const saver = event.target.closest("[data-download]");
  if (saver) download(saver);
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});

// What takes longer than a moment says so: a bar at the top, and the button's own word for it.
const MOMENT_MS = 400;
let waiting;

function wait(form) {
  waiting = setTimeout(() => {
    document.body.classList.add("waiting");
    const button = form.querySelector("button[type=submit]");
    if (!button || !form.dataset.busy) return;
    button.dataset.word = button.textContent;
    button.textContent = form.dataset.busy;
  }, MOMENT_MS);
}

function waited() {
  clearTimeout(waiting);
  document.body.classList.remove("waiting");
  for (const button of document.querySelectorAll("button[data-word]")) button.textContent = button.dataset.word;
}

document.addEventListener("submit", (event) => {
  if (!event.defaultPrevented && !event.target.hasAttribute("hx-get")) wait(event.target);
});
window.addEventListener("pageshow", waited);

// A hidden tab asks for nothing; it catches up as soon as it is seen.
document.addEventListener("htmx:beforeRequest", (event) => { if (document.hidden) event.preventDefault(); });
document.addEventListener("htmx:afterSwap", () => { localise(document); });
document.addEventListener("htmx:afterRequest", (event) => { if (event.detail.successful) say(""); });
document.addEventListener("htmx:responseError", (event) => {
  const xhr = event.detail.xhr;
  say(reason(xhr.status, Number(xhr.getResponseHeader("Retry-After"))));
});
document.addEventListener("htmx:sendError", () => { say(reason(0)); });
