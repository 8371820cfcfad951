// Sections that fold, and in them the disks, interfaces and filesystems of the machine, each with its own charts.

import { prepare } from "./drawing.js";
import { answerOf, refresh } from "./reading.js";
import { hear, set, view } from "./view.js";

const OPEN_INSTANCES = 2;
const seen = new Set(); // sections whose numbers are wanted

export const isSeen = (key) => seen.has(key) && document.getElementById(`section-${key}`)?.open !== false;

const inSight = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) seen.add(target.dataset.section); else seen.delete(target.dataset.section);
  }
  if (entries.some((entry) => entry.isIntersecting)) refresh();
}, { rootMargin: "500px" });

function restore() {
  for (const section of document.querySelectorAll("[data-section]")) section.open = !view.closed.has(section.dataset.section);
  for (const instance of document.querySelectorAll("details[data-instance]")) instance.open = isOpen(instance);
}

const keyOf = (instance) => `${instance.closest("[data-section]").dataset.section}/${instance.dataset.instance}`;

function isOpen(instance) {
  const key = keyOf(instance);
  const few = instance.parentElement.querySelectorAll("details[data-instance]").length <= OPEN_INSTANCES;
  return view.open.has(key) || (few && !view.shut.has(key));
}

function showInstances(section) {
  const names = answerOf(section.dataset.section).series.map((one) => one.instance);
  const have = new Set([...section.querySelectorAll("details[data-instance]")].map((one) => one.dataset.instance));
  section.querySelector("[data-empty]").hidden = names.length > 0;
  section.querySelector("[data-empty]").textContent = section.dataset.none;
  const made = names.filter((name) => !have.has(name)).map((name) => instanceOf(section, name));
  section.querySelector("template").before(...made);
  for (const instance of made) {
    instance.open = isOpen(instance);
    instance.addEventListener("toggle", () => remember(instance));
    instance.querySelectorAll("[data-panel]").forEach(prepare);
  }
}

function instanceOf(section, name) {
  const made = section.querySelector("template").content.firstElementChild.cloneNode(true);
  made.dataset.instance = name;
  made.querySelector("summary b").textContent = name;
  return made;
}

function remember(instance) {
  if (instance.open === isOpen(instance)) return;
  set("open", keyOf(instance), instance.open);
  set("shut", keyOf(instance), !instance.open);
}

for (const section of document.querySelectorAll("[data-section]")) {
  inSight.observe(section);
  section.addEventListener("toggle", () => {
    set("closed", section.dataset.section, !section.open);
    if (section.open) refresh();
  });
  if (section.dataset.none) hear(`read:${section.dataset.section}`, () => showInstances(section));
}
restore();
hear("parts", restore);
