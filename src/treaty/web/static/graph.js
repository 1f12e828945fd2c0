// Zooming, panning and finding in a graph. Without this it can be scrolled.

const view = document.querySelector(".canvas .view");
const svg = view?.querySelector("svg.graph");

if (svg) {
  const whole = svg.viewBox.baseVal;
  const all = { x: whole.x, y: whole.y, width: whole.width, height: whole.height };
  const LARGEST = 2.5;
  const FAR = 0.4;
  const READABLE = 0.8;
  let box = { ...all };

  view.classList.add("live");
  document.querySelector(".canvas .tools").hidden = false;

  // How many pixels a unit of the drawing takes.
  const scale = () => view.clientWidth / box.width;

  const show = (x, y, width) => {
    const ratio = view.clientHeight / view.clientWidth;
    const least = view.clientWidth / LARGEST;
    const most = Math.max(all.width, all.height / ratio, least);
    const wide = Math.min(Math.max(width, least), most);
    const keep = (at, size, from, length) =>
      size >= length ? from - (size - length) / 2 : Math.min(Math.max(at, from - size / 3), from + length - (size * 2) / 3);
    box = { width: wide, height: wide * ratio };
    box.x = keep(x, box.width, all.x, all.width);
    box.y = keep(y, box.height, all.y, all.height);
    svg.setAttribute("viewBox", `${box.x} ${box.y} ${box.width} ${box.height}`);
    svg.classList.toggle("far", scale() < FAR);
  };

  const fit = () => show(all.x, all.y, Math.max(all.width, (all.height * view.clientWidth) / view.clientHeight));

  // Zooms around a point of the view, given in pixels, by default around its middle.
  const zoom = (factor, px = view.clientWidth / 2, py = view.clientHeight / 2) => {
    const x = box.x + px / scale();
    const y = box.y + py / scale();
    show(box.x, box.y, box.width / factor);
    show(x - px / scale(), y - py / scale(), box.width);
  };

  const centre = (element) => {
    const at = element.getBBox();
    const width = Math.min(box.width, view.clientWidth / 1.1);
    const height = (width * view.clientHeight) / view.clientWidth;
    show(at.x + at.width / 2 - width / 2, at.y + at.height / 2 - height / 2, width);
  };

  for (const button of document.querySelectorAll("[data-zoom]")) {
    button.addEventListener("click", () => {
      if (button.dataset.zoom === "fit") fit();
      else zoom(button.dataset.zoom === "in" ? 1.4 : 1 / 1.4);
    });
  }

  view.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = 60 / scale();
    const does = {
      ArrowLeft: () => show(box.x - step, box.y, box.width),
      ArrowRight: () => show(box.x + step, box.y, box.width),
      ArrowUp: () => show(box.x, box.y - step, box.width),
      ArrowDown: () => show(box.x, box.y + step, box.width),
      "+": () => zoom(1.4),
      "=": () => zoom(1.4),
      "-": () => zoom(1 / 1.4),
      0: fit,
    }[event.key];
    if (!does) return;
    event.preventDefault();
    does();
  });

  // A wheel scrolls the page until somebody has turned to the graph.
  const place = (event) => {
    const rect = view.getBoundingClientRect();
    return [event.clientX - rect.left, event.clientY - rect.top];
  };
  view.addEventListener("wheel", (event) => {
    if (!event.ctrlKey && !event.metaKey && !view.contains(document.activeElement)) return;
    event.preventDefault();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 20 : 1;
    zoom(Math.exp(-Math.max(-200, Math.min(200, event.deltaY * lines)) / 400), ...place(event));
  }, { passive: false });

  // One finger or the mouse drags; two fingers zoom.
  const held = new Map();
  let moved = 0;
  const apart = () => {
    const [[ax, ay], [bx, by]] = [...held.values()];
    return [Math.hypot(ax - bx, ay - by), (ax + bx) / 2, (ay + by) / 2];
  };
  view.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (!held.size) moved = 0;
    held.set(event.pointerId, place(event));
  });
  view.addEventListener("pointermove", (event) => {
    const before = held.get(event.pointerId);
    if (!before) return;
    const now = place(event);
    if (held.size === 1) {
      moved += Math.hypot(now[0] - before[0], now[1] - before[1]);
      if (moved > 4) {
        if (!view.hasPointerCapture(event.pointerId)) view.setPointerCapture(event.pointerId);
        show(box.x - (now[0] - before[0]) / scale(), box.y - (now[1] - before[1]) / scale(), box.width);
      }
    } else {
      const [was] = apart();
      held.set(event.pointerId, now);
      const [is, x, y] = apart();
      moved += 5;
      if (was) zoom(is / was, x, y);
    }
    held.set(event.pointerId, now);
  });
  for (const end of ["pointerup", "pointercancel"]) view.addEventListener(end, (event) => held.delete(event.pointerId));
  // The end of dragging is no click.
  view.addEventListener("click", (event) => {
    if (moved > 4) { event.preventDefault(); event.stopPropagation(); }
    moved = 0;
  }, true);
  view.addEventListener("dragstart", (event) => event.preventDefault());

  // Whoever points at an application sees what it is connected with.
  const boxes = new Map([...svg.querySelectorAll(".boxes a")].map((one) => [one.dataset.n, one]));
  const nameOf = (one) => one.querySelector("title")?.textContent
    ?? [...one.querySelector("text").childNodes].filter((part) => !part.matches?.(".sign")).map((part) => part.textContent).join("");
  const lines = new Map();
  for (const line of svg.querySelectorAll(".lines [data-e]")) {
    for (const end of line.dataset.e.split(" ")) {
      if (!lines.has(end)) lines.set(end, []);
      lines.get(end).push(line);
    }
  }
  const dim = (here) => {
    for (const one of svg.querySelectorAll(".near")) one.classList.remove("near");
    svg.classList.toggle("dim", Boolean(here));
    if (!here) return;
    here.classList.add("near");
    for (const line of lines.get(here.dataset.n) ?? []) {
      line.classList.add("near");
      for (const end of line.dataset.e.split(" ")) boxes.get(end).classList.add("near");
    }
  };
  // A click, or Enter, selects an application until another one is selected, or Escape is pressed.
  let selected = null;
  const panel = document.getElementById("selected");
  const select = (here) => {
    selected?.removeAttribute("aria-current");
    selected = here;
    dim(here);
    panel.hidden = !here;
    if (!here) return;
    here.setAttribute("aria-current", "true");
    const ends = (lines.get(here.dataset.n) ?? []).map((line) => line.dataset.e.split(" "));
    const consumers = ends.filter(([, provider]) => provider === here.dataset.n).length;
    const providers = ends.filter(([consumer]) => consumer === here.dataset.n).length;
    panel.querySelector("b").textContent = nameOf(here);
    panel.querySelector("span").textContent =
      `${consumers} consumer${consumers === 1 ? "" : "s"}, ${providers} provider${providers === 1 ? "" : "s"}`;
    const [page, surroundings] = panel.querySelectorAll("a");
    page.href = `${panel.dataset.pages}/${encodeURIComponent(nameOf(here))}`;
    surroundings.href = here.href.baseVal;
    surroundings.hidden = here.matches(".me");
  };
  svg.addEventListener("click", (event) => {
    const here = event.target.closest(".boxes a");
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (here) event.preventDefault();
    if (here || !event.target.closest("a")) select(here === selected ? null : here);
  });
  view.addEventListener("keydown", (event) => { if (event.key === "Escape" && selected) select(null); });
  svg.addEventListener("pointerover", (event) => {
    if (!held.size) dim(event.target.closest(".boxes a") ?? selected);
  });
  svg.addEventListener("pointerleave", () => dim(selected));
  svg.addEventListener("focusin", (event) => {
    const here = event.target.closest(".boxes a");
    if (here?.matches(":focus-visible")) {
      dim(here);
      centre(here);
    }
  });

  // Finding goes from one application to the next that has the text.
  const spot = document.getElementById("spot");
  let found = [];
  let turn = -1;
  const look = () => {
    const text = spot.value.trim().toLowerCase();
    for (const one of svg.querySelectorAll(".hit")) one.classList.remove("hit");
    found = text ? [...boxes.values()].filter((one) => nameOf(one).toLowerCase().includes(text)) : [];
    for (const one of found) one.classList.add("hit");
    turn = -1;
  };
  const next = () => {
    if (!found.length) return;
    turn = (turn + 1) % found.length;
    centre(found[turn]);
    dim(found[turn]);
  };
  spot.addEventListener("input", () => { look(); if (found.length) next(); else dim(selected); });
  spot.addEventListener("keydown", (event) => { if (event.key === "Enter") next(); });

  const isNarrow = () => view.clientWidth < 700;
  // The rest of the window, and more of it once the page is scrolled to the graph; never higher than the graph needs.
  const size = () => {
    const top = view.getBoundingClientRect().top + scrollY;
    const free = Math.max(innerHeight - top - 16, innerHeight * 0.75, 320);
    const needed = all.height * Math.min(Math.max(view.clientWidth / all.width, isNarrow() ? READABLE : 0), 1.4);
    svg.setAttribute("width", view.clientWidth);
    svg.setAttribute("height", Math.max(Math.min(needed, free), 160));
  };
  const begin = () => {
    size();
    fit();
    const me = svg.querySelector(".me");
    // On a phone the whole would be too small to read: it begins with the first applications.
    if ((!me && !isNarrow()) || scale() >= READABLE) return;
    show(all.x, svg.querySelector(".boxes a").getBBox().y - 16, view.clientWidth / READABLE);
    if (me) centre(me);
  };
  new ResizeObserver(() => { if (view.clientWidth !== Number(svg.getAttribute("width"))) begin(); }).observe(view);
  begin();
}
