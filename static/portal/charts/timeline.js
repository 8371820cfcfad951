// The strip above the charts: the whole period with what happened in it, and the keyboard's way to point, select and zoom.

import { cover, mark } from "./overlay.js";
import { local, utc } from "./page.js";
import { point, pointed, pointer, select, zoomToSelection } from "./pointing.js";
import { toldAt } from "./happened.js";
import { hear, pin, scale, shift, view } from "./view.js";

const STEPS = 200;
const strip = document.getElementById("timeline");
let anchor = null; // where a selection by keyboard began

const step = () => (view.span[1] - view.span[0]) / STEPS;
const clamp = (time) => Math.min(view.span[1], Math.max(view.span[0], time));

const MOVES = {
  ArrowLeft: (time) => time - step(), ArrowRight: (time) => time + step(),
  PageUp: (time) => time - 10 * step(), PageDown: (time) => time + 10 * step(),
  Home: () => view.span[0], End: () => view.span[1],
};

const ACTIONS = {
  Enter: () => { anchor = null; if (!zoomToSelection()) pin(pointed()); },
  Escape: () => { anchor = null; point({ time: null, selected: null }); pin(null); },
  Backspace: () => window.history.back(),
  "+": () => scale(0.5, pointed() ?? undefined),
  "-": () => scale(2),
};

function go(event) {
  const from = pointed() ?? view.span[1];
  const to = clamp(MOVES[event.key](from));
  anchor = event.shiftKey ? anchor ?? from : null;
  if (anchor === null) point({ time: to, figure: null, selected: null });
  else { point({ time: to, figure: null }); select(anchor, to); }
}

strip.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const act = MOVES[event.key] ? () => go(event) : ACTIONS[event.key];
  if (!act) return;
  event.preventDefault();
  act();
});

function speak() {
  const time = pointed();
  strip.setAttribute("aria-valuemin", Math.round(view.span[0] / 1000));
  strip.setAttribute("aria-valuemax", Math.round(view.span[1] / 1000));
  strip.setAttribute("aria-valuenow", Math.round((time ?? view.span[1]) / 1000));
  const selected = pointer.selected && `selected ${pointer.selected.map(local).join(" to ")}`;
  const said = time === null ? ["no time pointed at"] : [local(time), selected, ...toldAt(time, step())].filter(Boolean);
  strip.setAttribute("aria-valuetext", said.join(", "));
}

function showTime() {
  const time = pointed();
  const shown = document.getElementById("pointed");
  shown.textContent = time === null ? "" : local(time);
  shown.title = time === null ? "" : utc(time);
  document.getElementById("unpin").hidden = view.pinned === null;
  speak();
}

cover(strip, () => view.span);
mark(strip);
const TOOLS = {
  earlier: () => shift(-0.5), later: () => shift(0.5), "zoom-in": () => scale(0.5, pointed() ?? undefined),
  "zoom-out": () => scale(2), unpin: () => pin(null),
};
for (const [id, act] of Object.entries(TOOLS)) document.getElementById(id).addEventListener("click", act);
for (const name of ["point", "pin", "period"]) hear(name, showTime);
showTime();
