// The ranges and the free period: as links and fields they change the view without loading the page anew.

import { follow, hear, show, view } from "./view.js";
import { forField, fromField } from "./zones.js";

const nav = document.getElementById("ranges");
const form = document.getElementById("period");

function mark() {
  for (const link of nav.querySelectorAll("a")) {
    if (link.dataset.range === view.range) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
  form.elements.from.value = forField(view.span[0]);
  form.elements.to.value = forField(view.span[1]);
}

nav.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  follow(link.dataset.range);
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const [start, end] = [form.elements.from, form.elements.to].map((field) => fromField(field.value));
  form.elements.to.setCustomValidity(start < end ? "" : "The period ends before it starts.");
  if (form.reportValidity()) show(start, end);
});
form.addEventListener("input", () => form.elements.to.setCustomValidity(""));

hear("period", mark);
mark();
