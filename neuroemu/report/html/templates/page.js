"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Core map: colour by another metric, show or hide links.
  for (const figure of all("[data-core-map]")) {
    const cores = all(".core", figure).map((core) => [core, core.dataset.levels.split(" ")]);
    const buttons = all("button[data-metric]", figure);
    for (const button of buttons) {
      button.addEventListener("click", () => {
        for (const [core, levels] of cores) core.setAttribute("class", "core " + heat(levels[button.dataset.metric]));
        for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
        figure.querySelector("[data-largest]").textContent = button.dataset.most;
        figure.querySelector("[data-limit]").textContent = button.dataset.full;
      });
    }
    const links = figure.querySelector("button[data-links]");
    links?.addEventListener("click", () => {
      const hidden = figure.classList.toggle("no-links");
      links.setAttribute("aria-pressed", String(!hidden));
    });
    figure.querySelector(".controls").hidden = false;
  }
  function heat(level) {
    return level === "z" || level === "u" ? level : "h" + level;
  }

  // Tooltips: the text of <title>, at once and beside the pointer.
  const tip = document.createElement("div");
  tip.id = "tip";
  tip.hidden = true;
  document.body.append(tip);
  for (const title of all("svg title")) {
    const owner = title.parentNode;
    if (owner.tagName === "svg") continue;
    owner.dataset.tip = title.textContent;
    if (!owner.hasAttribute("aria-label")) owner.setAttribute("aria-label", title.textContent);
    title.remove();
  }
  for (const owner of all("[title]")) {
    owner.dataset.tip = owner.title;
    owner.removeAttribute("title");
  }
  document.addEventListener("pointermove", (event) => {
    const owner = event.target instanceof Element ? event.target.closest("[data-tip]") : null;
    tip.hidden = !owner;
    if (!owner) return;
    tip.textContent = owner.dataset.tip;
    const left = Math.min(event.clientX + 14, window.innerWidth - tip.offsetWidth - 8);
    const below = event.clientY + 18;
    const top = below + tip.offsetHeight > window.innerHeight ? event.clientY - tip.offsetHeight - 12 : below;
    tip.style.left = Math.max(left, 8) + "px";
    tip.style.top = Math.max(top, 8) + "px";
  });
  document.addEventListener("pointerleave", () => { tip.hidden = true; });

  // Plots over ticks: a cursor line and the figures of the tick below it.
  for (const figure of all("[data-ticks]")) {
    const series = JSON.parse(figure.querySelector("script").textContent);
    const ticks = Number(figure.dataset.ticks);
    const readout = figure.querySelector(".readout");
    const idle = readout.textContent;
    const lanes = figure.querySelector(".lanes");
    lanes.addEventListener("pointermove", (event) => {
      const box = figure.querySelector(".plot-box").getBoundingClientRect();
      const tick = Math.floor(((event.clientX - box.left) / box.width) * ticks);
      const inside = tick >= 0 && tick < ticks;
      figure.classList.toggle("reading", inside);
      lanes.style.setProperty("--cursor", ((tick + 0.5) / ticks) * 100);
      readout.textContent = inside
        ? `tick ${tick}: ` + series.map((one) => `${one.name} ${one.values[tick]}`).join(", ")
        : idle;
    });
    lanes.addEventListener("pointerleave", () => {
      figure.classList.remove("reading");
      readout.textContent = idle;
    });
  }

  // Contents: mark the section in view.
  const entries = new Map(all("nav.contents a").map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((changes) => {
    for (const change of changes) {
      if (!change.isIntersecting) continue;
      for (const link of entries.values()) link.classList.remove("here");
      entries.get(change.target.id)?.classList.add("here");
    }
  }, { rootMargin: "-15% 0px -75% 0px" });
  for (const section of all("section[id]")) seen.observe(section);

  // A link to something inside closed details opens them; printing opens all.
  const open = () => { document.getElementById(location.hash.slice(1))?.closest("details")?.setAttribute("open", ""); };
  window.addEventListener("hashchange", open);
  window.addEventListener("beforeprint", () => { for (const one of all("details")) one.open = true; });
  open();
})();
