// What lies over a chart's plot: gaps, notes, the selection and the crosshair, as elements that move without drawing.

import { marksOf, stretched } from "./happened.js";
import { element } from "./page.js";
import { listen, pointed, pointer } from "./pointing.js";
import { hear } from "./view.js";

const covers = new Map(); // holder → { over, happened, selection, cross, spanOf }

// spanOf: the period that the holder shows, null before its first drawing.
export function cover(holder, spanOf, figure = null) {
  const over = element("div", "", "over");
  const [happened, selection, cross] = ["happened", "selection", "cross"].map((name) => element("div", "", name));
  over.append(happened, selection, cross);
  selection.hidden = true;
  cross.hidden = true;
  holder.append(over);
  covers.set(holder, { over, happened, selection, cross, spanOf });
  listen(over, spanOf, figure);
}

// Over the plot, after a drawing.
export function place(holder, box) {
  const { over } = covers.get(holder);
  for (const side of ["left", "top", "width", "height"]) over.style[side] = `${box[side]}px`;
  mark(holder);
}

export function mark(holder) {
  const cover = covers.get(holder);
  if (!cover.spanOf()) return;
  cover.happened.replaceChildren(...marksOf(cover.spanOf()));
  follow(cover);
}

// The crosshair at the pointed time, and the selection.
function follow({ cross, selection, spanOf }) {
  const [time, span] = [pointed(), spanOf()];
  if (!span) return;
  cross.hidden = time === null || time < span[0] || time > span[1];
  if (!cross.hidden) stretched(cross, [time, time], span);
  selection.hidden = !pointer.selected;
  if (pointer.selected) stretched(selection, pointer.selected, span);
}

const followAll = () => { for (const cover of covers.values()) follow(cover); };
const markAll = () => { for (const holder of covers.keys()) mark(holder); };

hear("point", followAll);
hear("pin", followAll);
for (const name of ["system", "events", "annotations"]) hear(`read:${name}`, markAll);
