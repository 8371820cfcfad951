// A machine's page: what it reads, and the parts that show it.

import "./coverage.js";
import { drawAll, drawSource, prepare } from "./drawing.js";
import "./notes.js";
import { page } from "./page.js";
import "./periods.js";
import "./processes.js";
import { declare, refresh } from "./reading.js";
import "./saving.js";
import { isSeen } from "./sections.js";
import "./timeline.js";
import "./values.js";
import { hear } from "./view.js";

const { addresses, metrics, every_s, points } = page;

for (const [dataset, names] of Object.entries(metrics)) {
  declare(dataset, {
    address: addresses.series, query: { dataset, metrics: names.join(","), points }, every_s: dataset === "system" ? 0 : every_s,
    isWanted: dataset === "system" ? () => true : () => isSeen(dataset),
  });
}
declare("events", { address: addresses.events, every_s });
declare("annotations", { address: addresses.annotations, every_s });
declare("cores", { address: addresses.cores, every_s, isWanted: () => isSeen("cpu") });
declare("processes", { address: addresses.processes, every_s, isWanted: () => isSeen("cpu") });

document.querySelectorAll("[data-panel]").forEach(prepare);
for (const dataset of [...Object.keys(metrics), "cores"]) hear(`read:${dataset}`, () => drawSource(dataset));
hear("read:system", drawAll);
refresh();
