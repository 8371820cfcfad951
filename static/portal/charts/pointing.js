// The one pointed time of the page, and the selection that a drag or the keyboard makes: zooms all charts, or pins a time.

import { pin, show, tell, view } from "./view.js";

const DRAG_PIXELS = 6;

// time: ms, null while nothing is pointed at; figure, x, y: where the pointer is; selected: [from, to]
export const pointer = { time: null, figure: null, x: 0, y: 0, selected: null };
export const pointed = () => pointer.time ?? view.pinned;

let isAnnounced = false;

export function point(changes) {
  Object.assign(pointer, changes);
  if (isAnnounced) return;
  isAnnounced = true;
  requestAnimationFrame(() => { isAnnounced = false; tell("point"); });
}

export const select = (from, to) => point({ selected: [Math.min(from, to), Math.max(from, to)] });

// Whether there was a selection to zoom into.
export function zoomToSelection() {
  const { selected } = pointer;
  point({ selected: null });
  if (selected) show(...selected);
  return Boolean(selected);
}

function timeAt(surface, [start, end], event) {
  const box = surface.getBoundingClientRect();
  const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
  return start + share * (end - start);
}

// surface: an element as wide as the plot, whose period spanOf() tells (null: nothing is drawn yet).
export function listen(surface, spanOf, figure = null) {
  let from = null; // where a drag began
  const handle = {
    pointerdown: (event, time) => {
      if (event.button !== 0) return;
      surface.setPointerCapture(event.pointerId);
      from = { x: event.clientX, time };
    },
    pointermove: (event, time) => {
      if (from && Math.abs(event.clientX - from.x) >= DRAG_PIXELS) select(from.time, time);
    },
    pointerup: (event, time) => {
      if (from && !zoomToSelection()) pin(time);
      from = null;
    },
  };
  for (const [name, act] of Object.entries(handle)) {
    surface.addEventListener(name, (event) => {
      if (!spanOf()) return;
      const time = timeAt(surface, spanOf(), event);
      point({ time, figure, x: event.clientX, y: event.clientY });
      act(event, time);
    });
  }
  surface.addEventListener("pointercancel", () => { from = null; point({ time: null, figure: null, selected: null }); });
  surface.addEventListener("pointerleave", () => { if (!from) point({ time: null, figure: null }); });
}
