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

// surface: an element as wide as the plot, whose period spanOf() tells.
export function listen(surface, spanOf, figure = null) {
  let from = null;
  const timeAt = (event) => {
    const box = surface.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    const [start, end] = spanOf();
    return start + share * (end - start);
  };
  const at = (event) => ({ time: timeAt(event), figure, x: event.clientX, y: event.clientY });
  surface.addEventListener("pointerdown", (event) => {
    if (event.button !== 0 || !spanOf()) return;
    surface.setPointerCapture(event.pointerId);
    from = { x: event.clientX, time: timeAt(event) };
    point(at(event));
  });
  surface.addEventListener("pointermove", (event) => {
    if (!spanOf()) return;
    point(at(event));
    if (from && Math.abs(event.clientX - from.x) >= DRAG_PIXELS) select(from.time, timeAt(event));
  });
  surface.addEventListener("pointerup", (event) => {
    if (!from) return;
    from = null;
    if (!zoomToSelection()) pin(timeAt(event));
  });
  surface.addEventListener("pointercancel", () => { from = null; point({ time: null, figure: null, selected: null }); });
  surface.addEventListener("pointerleave", () => { if (!from) point({ time: null, figure: null }); });
}
