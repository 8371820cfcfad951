// Notes of deploys, changes and incidents: the list with reboots, and for those who may, making and deleting them.

import { kindOf, notes } from "./happened.js";
import { element, iso, local, page, say, utc } from "./page.js";
import { pointed } from "./pointing.js";
import { forget, refresh, Refusal } from "./reading.js";
import { hear } from "./view.js";
import { forField, fromField, zone } from "./zones.js";

const LISTED = 50;
const list = document.getElementById("notes");
const dialog = document.getElementById("note-dialog");

function item(note) {
  const made = element("li", "", note.kind);
  const when = element("time", local(note.at));
  when.title = utc(note.at);
  const about = element("span", ` ${note.text}${note.created_by ? ` · ${note.created_by}` : ""}`);
  made.append(when, element("b", kindOf(note), "kind"), about, compareLink(note));
  if (note.id && page.may_annotate) made.append(deleteButton(note));
  return made;
}

function compareLink(note) {
  const link = element("a", "Before and after");
  const question = { how: "change", machines: page.machine_id, change: note.at, days: "7", zone };
  link.href = `${page.addresses.compare}?${new URLSearchParams(question)}`;
  return link;
}

function deleteButton(note) {
  const button = element("button", "Delete", "button small");
  button.type = "button";
  button.setAttribute("aria-label", `Delete the note ${note.text}`);
  button.addEventListener("click", async () => {
    if (!window.confirm(`Delete the note “${note.text}”? It goes from the charts of everybody.`)) return;
    await change("DELETE", `${page.addresses.annotations}/${note.id}`);
  });
  return button;
}

function show() {
  const found = notes();
  list.hidden = !found.length;
  list.querySelector("summary").textContent = `${found.length} ${found.length === 1 ? "note or reboot" : "notes and reboots"}`;
  list.querySelector("ol").replaceChildren(...found.slice(-LISTED).reverse().map(item));
}

// Whether it was done; else the portal's own sentence stands in the dialog, or at the foot of the page.
async function change(method, address, body) {
  const token = dialog.querySelector("[name=csrfmiddlewaretoken]").value;
  const headers = { "Content-Type": "application/json", "X-CSRFToken": token, Accept: "application/json" };
  const response = await fetch(address, { method, headers, body: body && JSON.stringify(body) }).catch(() => null);
  if (!response?.ok) {
    const told = await response?.json().catch(() => null);
    const details = Object.values(told?.details?.[0] ?? {}).flat().join(" ");
    complain([told?.error ?? new Refusal(response?.status ?? 0, 0).message, details].filter(Boolean).join(" "));
    return false;
  }
  forget("annotations");
  await refresh();
  return true;
}

function complain(sentence) {
  const place = dialog.querySelector("[role=alert]");
  place.textContent = sentence;
  place.hidden = !sentence;
  if (!dialog.open) say(sentence);
}

function open() {
  const form = dialog.querySelector("form");
  form.reset();
  complain("");
  form.elements.at.value = forField(pointed() ?? Date.now());
  dialog.showModal();
  form.elements.text.focus();
}

async function make(event) {
  event.preventDefault();
  const { kind, text, at, until, everywhere } = event.target.elements;
  const instant = (field) => (field.value ? iso(fromField(field.value)) : null);
  const body = { kind: kind.value, text: text.value, at: instant(at), until: instant(until) };
  if (!everywhere.checked) body.machine_id = page.machine_id;
  if (await change("POST", page.addresses.annotations, body)) dialog.close();
}

hear("read:annotations", show);
if (dialog) {
  document.getElementById("make-note").addEventListener("click", open);
  dialog.querySelector("form").addEventListener("submit", make);
  dialog.querySelector("[data-close]").addEventListener("click", () => dialog.close());
}
