"use strict";
// Makes the drawn charts answer: a value at the pointer, zoom by dragging (all charts together), lines hidden by legend.
// All figures are read from the drawing itself, so the page says the same with and without this script.
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const STEPS = [1, 5, 15, 30, 60, 180, 360, 720, 1440, 2880, 10080].map((minutes) => minutes * 60000);
  const make = (name, attributes, parent) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    return parent.appendChild(element);
  };
  const points = (path) => {
    const found = [];
    for (const part of path.split("M").slice(1)) {
      for (const pair of part.replace(/h0|Z/g, "").trim().split(" ")) found.push(pair.split(",").map(Number));
    }
    return found;
  };
  const say = (value, unit) => `${value.toLocaleString("en", { maximumSignificantDigits: 4 })} ${unit}`.trim();
  const moment = (time) => new Date(time).toISOString().slice(0, 16).replace("T", " ");

  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  class Chart {
    constructor(svg) {
      this.svg = svg;
      [this.width, this.height, this.low, this.high, this.bottom, this.top] = svg.dataset.plot.split(" ").map(Number);
      this.span = [this.low, this.high];
      this.plot = svg.querySelector(":scope > g");
      this.marks = this.plot.querySelector(".marks");
      this.window = make("svg", { width: this.width, height: this.height, overflow: "visible" }, this.plot);
      this.window.append(this.marks);
      this.rule = make("path", { class: "rule", d: `M0,0v${this.height}` }, this.plot);
      this.choice = make("rect", { class: "choice", height: this.height }, this.plot);
      this.catcher = make("rect", { class: "catcher", width: this.width, height: this.height }, this.plot);
      this.labels = [...this.plot.querySelectorAll(".x")];
      this.listen();
    }
    listen() {
      this.catcher.addEventListener("pointermove", (event) => this.point(event));
      this.catcher.addEventListener("pointerleave", () => this.leave());
      this.catcher.addEventListener("pointerdown", (event) => {
        this.catcher.setPointerCapture(event.pointerId);
        this.begun = this.place(event);
      });
      this.catcher.addEventListener("pointerup", (event) => this.choose(event));
      this.catcher.addEventListener("dblclick", () => zoom(this.low, this.high));
      for (const key of this.plot.querySelectorAll(".key")) this.toggles(key);
    }
    toggles(key) {
      key.setAttribute("role", "button");
      key.setAttribute("tabindex", "0");
      const toggle = () => {
        const hidden = key.classList.toggle("off");
        key.setAttribute("aria-pressed", String(!hidden));
        for (const mark of this.marks.querySelectorAll("[data-name]")) {
          if (mark.dataset.name === key.dataset.name) mark.style.display = hidden ? "none" : "";
        }
      };
      key.addEventListener("click", toggle);
      key.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        toggle();
      });
    }
    place(event) {
      const box = this.catcher.getBoundingClientRect();
      return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1) * this.width;
    }
    timeAt(x) {
      return this.span[0] + (x / this.width) * (this.span[1] - this.span[0]);
    }
    series() {
      if (this.found) return this.found;
      const value = (y) => this.top - (y / this.height) * (this.top - this.bottom);
      this.found = [];
      for (const path of this.marks.querySelectorAll("path.line, path.area")) {
        const name = path.dataset.name;
        if (path.classList.contains("line")) {
          this.found = this.found.filter((each) => each.name !== name);
          this.found.push({ name, path, points: points(path.getAttribute("d")).map(([x, y]) => [x, value(y)]) });
        } else if (!this.found.some((each) => each.name === name)) {
          this.found.push({ name, path, points: this.thickness(path.getAttribute("d"), value) });
        }
      }
      return this.found;
    }
    thickness(path, value) {
      return path.split("M").slice(1).flatMap((part) => {
        const all = points(`M${part}`);
        const half = all.length / 2;
        return all.slice(0, half).map(([x, y], at) => [x, value(y) - value(all[all.length - 1 - at][1])]);
      });
    }
    point(event) {
      const x = this.place(event);
      const time = this.timeAt(x);
      const wanted = ((time - this.low) / (this.high - this.low)) * this.width;
      const lines = [];
      for (const { name, path, points } of this.series()) {
        if (path.style.display === "none" || !points.length) continue;
        const near = points.reduce((best, each) => (Math.abs(each[0] - wanted) < Math.abs(best[0] - wanted) ? each : best));
        if (Math.abs(near[0] - wanted) < this.width / 60) lines.push(`${name}: ${say(near[1], this.svg.dataset.unit)}`);
      }
      this.rule.setAttribute("transform", `translate(${x})`);
      this.rule.style.opacity = 1;
      tip.textContent = [moment(time), ...lines].join("\n");
      tip.hidden = false;
      const right = event.clientX > innerWidth / 2;
      tip.style.left = `${event.clientX + (right ? -14 - tip.offsetWidth : 14)}px`;
      tip.style.top = `${Math.max(event.clientY - tip.offsetHeight - 10, 4)}px`;
      if (this.begun === undefined) return;
      this.choice.setAttribute("x", Math.min(this.begun, x));
      this.choice.setAttribute("width", Math.abs(x - this.begun));
    }
    leave() {
      tip.hidden = true;
      this.rule.style.opacity = 0;
    }
    choose(event) {
      const [from, to] = [this.begun, this.place(event)].sort((a, b) => a - b);
      this.begun = undefined;
      this.choice.setAttribute("width", 0);
      if (to - from > 6) zoom(this.timeAt(from), this.timeAt(to));
    }
    show(start, end) {
      const [low, high] = [Math.max(start, this.low), Math.min(end, this.high)];
      if (high <= low) return;
      this.span = [low, high];
      const whole = low === this.low && high === this.high;
      const scale = (this.high - this.low) / (high - low);
      const shift = (-(low - this.low) / (this.high - this.low)) * this.width * scale;
      this.marks.setAttribute("transform", `matrix(${scale},0,0,1,${shift},0)`);
      this.window.setAttribute("overflow", whole ? "visible" : "hidden");
      this.axis(whole);
    }
    axis(whole) {
      for (const label of this.labels) label.style.display = whole ? "" : "none";
      if (this.own) this.own.remove();
      if (whole) return;
      const [low, high] = this.span;
      const step = STEPS.find((each) => (high - low) / each <= 8) ?? STEPS[STEPS.length - 1];
      this.own = make("g", { class: "own" }, this.plot);
      for (let time = Math.ceil(low / step) * step; time <= high; time += step) {
        const x = ((time - low) / (high - low)) * this.width;
        const label = make("text", { x, y: this.height + 15, "text-anchor": "middle" }, this.own);
        label.textContent = time % 86400000 ? moment(time).slice(11) : moment(time).slice(5, 10);
      }
    }
  }

  const charts = [...document.querySelectorAll("svg[data-plot]")].map((svg) => new Chart(svg));
  const zoom = (start, end) => charts.forEach((chart) => chart.show(start, end));
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") zoom(-Infinity, Infinity);
  });
  const hint = document.querySelector(".hint");
  if (hint && charts.length) hint.hidden = false;
})();
