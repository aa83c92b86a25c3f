"use strict";
(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const runs = JSON.parse(document.getElementById("runs").textContent);

  const make = (name, text, parent) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    if (parent) parent.append(made);
    return made;
  };

  function attach(figure) {
    const plot = figure.querySelector(".plot");
    const tip = make("div", "", figure);
    tip.className = "tip";
    tip.hidden = true;
    tip.setAttribute("role", "status");
    let data = null;
    let shown = null;
    let pinned = false;

    const load = () => (data ??= JSON.parse(figure.querySelector("script").textContent));
    const visible = () => [...plot.querySelectorAll("svg")].find((svg) => svg.getBoundingClientRect().width > 0);
    const places = (svg) => load()[svg.classList.contains("narrow") ? "narrow" : "wide"];

    function clear() {
      for (const old of plot.querySelectorAll(".cursor")) old.remove();
      tip.hidden = true;
      tip.classList.remove("pinned");
      shown = null;
      pinned = false;
    }

    function draw(svg, at, place) {
      for (const old of plot.querySelectorAll(".cursor")) old.remove();
      const group = document.createElementNS(SVG, "g");
      group.setAttribute("class", "cursor");
      const line = document.createElementNS(SVG, "path");
      line.setAttribute("class", "cursor-line");
      line.setAttribute("d", `M${at.x} ${place.top}V${place.bottom}`);
      const ring = document.createElementNS(SVG, "circle");
      ring.setAttribute("class", "cursor-ring");
      ring.setAttribute("cx", at.x);
      ring.setAttribute("cy", at.y);
      ring.setAttribute("r", 6.5);
      group.append(line, ring);
      svg.append(group);
    }

    function write(series, i, values) {
      const run = runs[series.r[i]];
      tip.replaceChildren();
      make("strong", values.map(([name, value]) => (name ? `${name} ${value}` : value)).join(", "), tip);
      const list = make("dl", "", tip);
      const row = (name, value) => {
        if (!value) return;
        make("dt", name, list);
        make("dd", value, list);
      };
      row("interval", series.i && series.i[i]);
      row("run", run.id);
      row("started", `${run.at} UTC`);
      row("commit", run.commit);
      row("version", run.version);
      row("verdict", run.status);
      row("note", series.o.includes(i) ? "outlier: far from its own segment" : "");
      if (run.report) {
        make("dt", "report", list);
        const link = make("a", pinned ? "open" : "Enter opens it; click to hold", make("dd", "", list));
        link.href = run.report;
      }
    }

    function show(s, i) {
      const svg = visible();
      if (!svg) return;
      const place = places(svg);
      const series = load().series[s];
      const at = { x: place.x[s][i], y: place.y[s][i] };
      shown = { s, i };
      draw(svg, at, place);
      const same = load().series.flatMap((other, k) => {
        const j = k === s ? i : other.r.indexOf(series.r[i]);
        return j < 0 ? [] : [[other.n, other.v[j]]];
      });
      write(series, i, same);
      tip.hidden = false;
      const box = svg.getBoundingClientRect();
      const home = figure.getBoundingClientRect();
      const scale = box.width / svg.viewBox.baseVal.width;
      const x = box.left - home.left + at.x * scale;
      const y = box.top - home.top + at.y * scale;
      const toLeft = x + 16 + tip.offsetWidth > home.width;
      tip.style.left = `${Math.max(0, toLeft ? x - 16 - tip.offsetWidth : x + 16)}px`;
      tip.style.top = `${Math.max(0, y - tip.offsetHeight / 2)}px`;
    }

    function nearest(event) {
      const svg = visible();
      if (!svg) return null;
      const box = svg.getBoundingClientRect();
      const scale = svg.viewBox.baseVal.width / box.width;
      const px = (event.clientX - box.left) * scale;
      const py = (event.clientY - box.top) * scale;
      const place = places(svg);
      let best = null;
      place.x.forEach((xs, s) => xs.forEach((x, i) => {
        const distance = Math.abs(x - px) * 3 + Math.abs(place.y[s][i] - py);
        if (best === null || distance < best.distance) best = { s, i, distance };
      }));
      return best;
    }

    function pin() {
      pinned = true;
      tip.classList.add("pinned");
      show(shown.s, shown.i);
    }

    plot.addEventListener("pointermove", (event) => {
      if (pinned || event.pointerType === "touch") return;
      const found = nearest(event);
      if (found) show(found.s, found.i);
    });
    plot.addEventListener("pointerleave", () => pinned || document.activeElement === plot || clear());
    plot.addEventListener("click", (event) => {
      const found = nearest(event);
      if (!found) return;
      const again = pinned && shown && shown.s === found.s && shown.i === found.i;
      clear();
      if (again) return;
      show(found.s, found.i);
      pin();
    });
    plot.addEventListener("blur", () => pinned || clear());
    plot.addEventListener("keydown", (event) => {
      const all = load().series;
      const now = shown ?? { s: 0, i: all[0].r.length };
      const last = all[now.s].r.length - 1;
      const sideways = (step) => {
        const s = (now.s + step + all.length) % all.length;
        const run = all[now.s].r[Math.min(now.i, last)];
        const i = all[s].r.indexOf(run);
        return { s, i: i < 0 ? all[s].r.length - 1 : i };
      };
      const moves = {
        ArrowLeft: () => ({ s: now.s, i: Math.max(0, now.i - 1) }),
        ArrowRight: () => ({ s: now.s, i: Math.min(last, now.i + 1) }),
        ArrowUp: () => sideways(1),
        ArrowDown: () => sideways(-1),
        Home: () => ({ s: now.s, i: 0 }),
        End: () => ({ s: now.s, i: last }),
      };
      if (event.key === "Escape") return clear();
      if (event.key === "Enter" && shown) {
        const report = runs[all[shown.s].r[shown.i]].report;
        if (report) location.href = report;
        return;
      }
      if (!(event.key in moves)) return;
      event.preventDefault();
      const { s, i } = moves[event.key]();
      pinned = false;
      show(s, i);
    });
  }

  for (const figure of document.querySelectorAll("figure.chart")) attach(figure);

  const box = document.getElementById("filter");
  if (box) {
    box.closest(".tools").hidden = false;
    box.addEventListener("input", () => {
      const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
      let left = 0;
      for (const part of document.querySelectorAll("[data-name]")) {
        const name = part.dataset.name.toLowerCase();
        part.hidden = !words.every((word) => name.includes(word));
        if (!part.hidden && part.tagName === "FIGURE") left += 1;
      }
      document.getElementById("left").textContent = words.length ? `${left} shown` : "";
    });
  }
})();
