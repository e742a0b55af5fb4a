"use strict";
// The graph of a cascade: zoom, move, search, the next failure, arrows along edges, and states that change in place.
// The page shows the same without it; what is said in a box comes from the server.
(() => {
  const SMALLEST = 0.08, LARGEST = 3, READABLE = 0.6, CLEAR = 0.9, FAR = 0.34, STEP = 1.25, PAN = 80, EVERY = 4000, SLOP = 5;
  const page = document.getElementById("graph");
  const canvas = page.querySelector(".canvas");
  const find = document.getElementById("find"), hits = document.getElementById("hits");
  const failures = page.querySelector("[data-do=failures]");
  let svg = document.getElementById("drawing");
  let natural, boxes, byKey, paths, view, moved = false, at = null, tag = null, least = null;

  // What is drawn.

  function take() {
    const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
    natural = { width, height };
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    boxes = [...svg.querySelectorAll(".box")].map((element, number) => {
      const [x, y] = element.getAttribute("transform").match(/-?\d+/g).map(Number);
      const face = element.querySelector(".face");
      return {
        element, number, x, y, layer: Number(element.dataset.layer), names: element.dataset.names.toLowerCase().split(" "),
        width: Number(face.getAttribute("width")), height: Number(face.getAttribute("height")), before: [], after: [], paths: [],
      };
    });
    byKey = new Map(boxes.map((box) => [box.element.dataset.key, box]));
    paths = [...svg.querySelectorAll(".edges path")];
    for (const path of paths) {
      const start = boxes[path.dataset.from], end = boxes[path.dataset.to];
      start.after.push(end);
      end.before.push(start);
      start.paths.push(path);
      end.paths.push(path);
    }
  }
  const boxOf = (node) => byKey.get(node?.closest?.(".box")?.dataset.key);
  const bad = () => boxes.filter((box) => box.element.classList.contains("tone-bad"));

  // Where one looks: the upper left corner in the drawing, and pixels for each of its units.

  const size = () => ({ width: canvas.clientWidth || 1, height: canvas.clientHeight || 1 });
  const bounded = (scale) => Math.min(LARGEST, Math.max(SMALLEST, scale));
  function look({ x, y, scale: wanted }) {
    const seen = size(), scale = bounded(wanted);
    least = null;
    const keep = (place, whole, part) => Math.min(whole - part / 2, Math.max(-part / 2, place)); // some of it stays in sight
    view = { scale, x: keep(x, natural.width, seen.width / scale), y: keep(y, natural.height, seen.height / scale) };
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${seen.width / scale} ${seen.height / scale}`);
    canvas.classList.toggle("far", scale < FAR);
    canvas.scrollTop = canvas.scrollLeft = 0;
  }
  function fit(smallest) { // and again when the window is another
    const seen = size();
    const scale = Math.max(smallest, Math.min(1, seen.width / natural.width, seen.height / natural.height));
    const middle = (whole, part) => (whole < part ? (whole - part) / 2 : 0);
    const y = (natural.height - seen.height / scale) / 2;
    look({ scale, x: middle(natural.width, seen.width / scale), y });
    least = smallest;
  }
  function zoom(factor, x = size().width / 2, y = size().height / 2) {
    const scale = bounded(view.scale * factor);
    look({ scale, x: view.x + x / view.scale - x / scale, y: view.y + y / view.scale - y / scale });
  }
  const pan = (x, y) => look({ scale: view.scale, x: view.x + x / view.scale, y: view.y + y / view.scale });
  function centre(box, scale = view.scale) {
    const seen = size();
    look({ scale, x: box.x + box.width / 2 - seen.width / scale / 2, y: box.y + box.height / 2 - seen.height / scale / 2 });
  }
  function reveal(box) {
    const seen = size(), edge = 24 / view.scale;
    const inside = (place, length, from, part) => place >= from + edge && place + length <= from + part - edge;
    if (!inside(box.x, box.width, view.x, seen.width / view.scale) || !inside(box.y, box.height, view.y, seen.height / view.scale)) centre(box);
  }

  // The box that is looked at: its edges stand out.

  function mark(box) {
    at?.element.classList.remove("at");
    for (const path of svg.querySelectorAll(".near")) path.classList.remove("near");
    at = box ?? null;
    at?.element.classList.add("at");
    near(at);
  }
  function near(box) {
    for (const path of box?.paths ?? []) path.classList.add("near");
  }
  function go(box) {
    mark(box);
    centre(box, Math.max(view.scale, CLEAR));
    canvas.scrollIntoView({ block: "nearest" });
  }
  function stand(box) {
    box.element.focus({ preventScroll: true });
    mark(box);
    reveal(box);
  }
  function nextFailure() {
    const found = bad();
    if (!found.length) return;
    const following = found[(found.indexOf(at) + 1) % found.length];
    go(following);
    following.element.focus({ preventScroll: true });
    hits.textContent = `failure ${found.indexOf(following) + 1} of ${found.length}`;
  }

  // Search: boxes light up by the names of all images in them.

  const found = () => boxes.filter((box) => box.element.classList.contains("hit"));
  function search(jump) {
    const text = find.value.trim().toLowerCase();
    let images = 0;
    for (const box of boxes) {
      const count = text ? box.names.filter((name) => name.includes(text)).length : 0;
      images += count;
      box.element.classList.toggle("hit", count > 0);
    }
    canvas.classList.toggle("searched", Boolean(text));
    const all = found();
    hits.textContent = !text ? "" : images ? `${images} found` + (images > all.length ? ` in ${all.length} boxes` : "") : "nothing found";
    if (jump && all.length) go(all[0]);
  }
  function nextHit(step) {
    const all = found();
    if (!all.length) return;
    const place = all.indexOf(at);
    const next = place < 0 ? 0 : (place + step + all.length) % all.length;
    go(all[next]);
    hits.textContent = `${next + 1} of ${all.length}`;
  }
  find.addEventListener("input", () => search(true));
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      nextHit(event.shiftKey ? -1 : 1);
    } else if (event.key === "Escape") {
      find.value = "";
      search(false);
      canvas.focus();
    }
  });

  // Keys. On a box arrows lead along its edges, in a layer up and down; elsewhere they move the picture.

  const nearest = (to, boxes) => boxes.toSorted((one, two) => Math.abs(one.y - to.y) - Math.abs(two.y - to.y))[0];
  const walks = (box) => box.element.matches("a");
  function along(box, key) {
    const column = boxes.filter((each) => each.layer === box.layer && walks(each)).toSorted((one, two) => one.y - two.y);
    const row = column.indexOf(box);
    return {
      ArrowRight: () => nearest(box, box.after.filter(walks)), ArrowLeft: () => nearest(box, box.before.filter(walks)),
      ArrowUp: () => column[row - 1], ArrowDown: () => column[row + 1],
    }[key]();
  }
  const ARROWS = { ArrowLeft: [-PAN, 0], ArrowRight: [PAN, 0], ArrowUp: [0, -PAN], ArrowDown: [0, PAN] };
  const KEYS = { "+": () => zoom(STEP), "=": () => zoom(STEP), "-": () => zoom(1 / STEP), "0": () => fit(SMALLEST), "f": nextFailure, "/": () => find.focus() };
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select")) return;
    const inside = canvas.contains(event.target);
    if (event.key in ARROWS && inside) {
      event.preventDefault();
      const box = event.shiftKey ? undefined : boxOf(event.target);
      if (!box) pan(...ARROWS[event.key]);
      else {
        const next = along(box, event.key);
        if (next) stand(next);
      }
    } else if (event.key in KEYS && (inside || event.key === "f" || event.key === "/")) {
      event.preventDefault();
      KEYS[event.key]();
    }
  });
  canvas.addEventListener("focusin", (event) => {
    const box = boxOf(event.target);
    if (box && event.target.matches(":focus-visible")) {
      mark(box);
      reveal(box);
    }
    canvas.scrollTop = canvas.scrollLeft = 0;
  });
  canvas.addEventListener("pointerover", (event) => near(boxOf(event.target)));
  canvas.addEventListener("pointerout", (event) => {
    const box = boxOf(event.target);
    if (box && box !== at) for (const path of box.paths) path.classList.toggle("near", Boolean(at?.paths.includes(path)));
  });

  // Wheel, drag, two fingers.

  const place = (event) => {
    const { left, top } = canvas.getBoundingClientRect();
    return { x: event.clientX - left - canvas.clientLeft, y: event.clientY - top - canvas.clientTop };
  };
  canvas.addEventListener("wheel", (event) => {
    event.preventDefault();
    const { x, y } = place(event);
    zoom(Math.exp(-event.deltaY * (event.deltaMode === 1 ? 0.05 : 0.0016)), x, y);
  }, { passive: false });
  const fingers = new Map();
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    if (!fingers.size) moved = false;
    fingers.set(event.pointerId, { ...place(event), from: place(event) });
  });
  document.addEventListener("pointermove", (event) => {
    const last = fingers.get(event.pointerId);
    if (!last) return;
    const now = place(event);
    if (!moved && Math.hypot(now.x - last.from.x, now.y - last.from.y) < SLOP) return;
    if (!moved) {
      moved = true;
      canvas.classList.add("held");
      canvas.setPointerCapture(event.pointerId);
    }
    const other = [...fingers].find(([id]) => id !== event.pointerId)?.[1];
    if (other) zoom(Math.hypot(now.x - other.x, now.y - other.y) / Math.max(1, Math.hypot(last.x - other.x, last.y - other.y)), (now.x + other.x) / 2, (now.y + other.y) / 2);
    else pan(last.x - now.x, last.y - now.y);
    fingers.set(event.pointerId, { ...now, from: last.from });
  });
  for (const end of ["pointerup", "pointercancel"]) {
    document.addEventListener(end, (event) => {
      fingers.delete(event.pointerId);
      if (!fingers.size) canvas.classList.remove("held");
    });
  }
  canvas.addEventListener("click", (event) => { // what was dragged is not opened
    if (moved) event.preventDefault();
    moved = false;
  }, true);
  canvas.addEventListener("dragstart", (event) => event.preventDefault());

  const DO = { in: () => zoom(STEP), out: () => zoom(1 / STEP), fit: () => fit(SMALLEST), failures: nextFailure };
  page.addEventListener("click", (event) => DO[event.target.closest("[data-do]")?.dataset.do]?.());

  // How it is now. The same drawing changes in place; another is asked for, and one looks at the same part of it.

  function wear(box, face) {
    const { element } = box;
    for (const name of [...element.classList]) if (name.startsWith("tone-")) element.classList.remove(name);
    element.classList.add(`tone-${face.tone}`);
    element.querySelector("title").textContent = face.label;
    element.querySelector(".word").textContent = face.word;
    element.querySelector("use").setAttribute("href", `#mark-${face.tone}`);
    const share = element.querySelector(".share");
    share?.replaceChildren(...face.bar.map(([tone, x, width]) => {
      const part = document.createElementNS(svg.namespaceURI, "rect");
      const attributes = { class: `fill-${tone}`, x: x + 12, y: 44, width, height: 6 };
      for (const [name, value] of Object.entries(attributes)) part.setAttribute(name, value);
      return part;
    }));
  }
  async function ask(address, headers = {}) {
    const answer = await fetch(address, { headers, cache: "no-store", signal: AbortSignal.timeout(15_000) });
    if (answer.redirected) location.reload(); // to sign in again
    return answer;
  }
  async function again() {
    const fresh = new DOMParser().parseFromString(await (await ask(location.href)).text(), "text/html");
    const drawing = fresh.getElementById("drawing");
    if (!drawing) throw new Error("the page has no drawing");
    const focused = boxOf(document.activeElement)?.element.dataset.key, marked = at?.element.dataset.key;
    const origin = marked && byKey.get(marked);
    page.querySelector("h1").replaceWith(document.adoptNode(fresh.querySelector("#graph h1")));
    svg.replaceWith(svg = document.adoptNode(drawing));
    take();
    at = null;
    const box = byKey.get(marked);
    look({ ...view, ...(box && origin ? { x: view.x + box.x - origin.x, y: view.y + box.y - origin.y } : {}) });
    if (box) mark(box);
    if (focused) (byKey.get(focused)?.element ?? canvas).focus({ preventScroll: true });
    const said = hits.textContent;
    search(false);
    if (said) hits.textContent = said;
  }
  function tell(text) { // as the server wrote it: nothing in it runs, under the policy of the page
    const fresh = new DOMParser().parseFromString(text, "text/html");
    page.querySelector(".told-of").replaceChildren(...[...fresh.body.childNodes].map((node) => document.adoptNode(node)));
    failures.disabled = !bad().length;
  }
  async function refresh() {
    const answer = await ask(page.dataset.states + location.search, tag ? { "If-None-Match": tag } : {});
    if (answer.status === 304) return true;
    if (!answer.ok) throw new Error(`answered with ${answer.status}`);
    const told = await answer.json();
    const ended = !told.live, other = told.shape !== svg.dataset.shape;
    if (other || ended) await again();
    else for (const [key, face] of Object.entries(told.boxes)) if (byKey.has(key)) wear(byKey.get(key), face);
    tell(told.told);
    tag = answer.headers.get("ETag");
    return told.live;
  }
  async function keep() {
    let live = true;
    try {
      if (!document.hidden && !fingers.size) live = await refresh();
      document.getElementById("trouble").hidden = true;
    } catch {
      document.getElementById("trouble").hidden = false; // and it is tried again
    }
    if (live) setTimeout(keep, EVERY);
  }

  canvas.classList.add("alive");
  page.querySelector(".tools").hidden = false;
  document.getElementById("keys").hidden = false;
  take();
  fit(READABLE);
  const opened = byKey.get(new URLSearchParams(location.search).getAll("open").at(-1));
  if (opened) reveal(opened);
  addEventListener("resize", () => (least === null ? look(view) : fit(least)));
  if ("live" in page.dataset) setTimeout(keep, EVERY);
})();
