// Tabs, zoom and places on the photographs. Layers need no script: CSS shows what is ticked.
const most = 12, step = 1.35;
const ticked = new Map();
let current = 1, sights = new Map();

const all = (what) => [...element.querySelectorAll(what)];
const picture = (number) => element.querySelector(`.picture[data-number="${number}"]`);
const sight = (stage) => {
  const number = stage.closest(".picture").dataset.number;
  if (!sights.has(number)) sights.set(number, { zoom: 1, x: 0, y: 0 });
  return sights.get(number);
};

function apply(stage) {
  const s = sight(stage), box = stage.getBoundingClientRect();
  s.zoom = Math.min(most, Math.max(1, s.zoom));
  s.x = Math.min(0, Math.max(box.width * (1 - s.zoom), s.x));
  s.y = Math.min(0, Math.max(box.height * (1 - s.zoom), s.y));
  stage.firstElementChild.style.transform = `translate(${s.x}px,${s.y}px) scale(${s.zoom})`;
  stage.style.setProperty("--zoom", s.zoom);
  stage.dataset.zoom = s.zoom.toFixed(2);
}

function zoomAt(stage, factor, x, y) {
  const s = sight(stage), before = s.zoom;
  s.zoom = Math.min(most, Math.max(1, s.zoom * factor));
  s.x = x - ((x - s.x) * s.zoom) / before;
  s.y = y - ((y - s.y) * s.zoom) / before;
  apply(stage);
}

function zoomMiddle(stage, factor) {
  const box = stage.getBoundingClientRect();
  zoomAt(stage, factor, box.width / 2, box.height / 2);
}

function whole(stage) {
  Object.assign(sight(stage), { zoom: 1, x: 0, y: 0 });
  apply(stage);
}

function choose(number) {
  if (!picture(number)) return;
  current = number;
  all(".picture").forEach((one) => (one.hidden = one.dataset.number !== String(number)));
  all(".tab").forEach((tab) => tab.setAttribute("aria-pressed", tab.dataset.number === String(number)));
}

function restore() {
  sights = new Map();
  choose(picture(current) ? current : 1);
  all(".switch").forEach((box) => { if (ticked.has(box.value)) box.checked = ticked.get(box.value); });
}

function showWhere({ photograph, layer, box, words }) {
  choose(photograph);
  const shown = picture(photograph);
  if (!shown) return;
  all(".marked").forEach((one) => (one.hidden = true));
  const tick = layer && shown.querySelector(`.switch[value="${layer}"]`);
  if (tick) { tick.checked = true; ticked.set(layer, true); }
  shown.querySelectorAll(".layer.flash").forEach((one) => one.classList.remove("flash"));
  const stage = shown.querySelector(".stage");
  whole(stage);
  if (box) {
    const [left, top, right, bottom] = box.split(",").map(Number);
    const mark = shown.querySelector(".marked");
    const pad = 0.008;
    Object.assign(mark.style, {
      left: `${100 * (left - pad)}%`, top: `${100 * (top - pad)}%`,
      width: `${100 * (right - left + 2 * pad)}%`, height: `${100 * (bottom - top + 2 * pad)}%`,
    });
    mark.hidden = false;
    const view = stage.getBoundingClientRect();
    const s = sight(stage);
    s.zoom = Math.min(4, Math.max(1, 0.3 / Math.max(right - left, bottom - top)));
    s.x = view.width / 2 - ((left + right) / 2) * view.width * s.zoom;
    s.y = view.height / 2 - ((top + bottom) / 2) * view.height * s.zoom;
    apply(stage);
  } else if (layer) {
    shown.querySelectorAll(`.layer.${layer}`).forEach((one) => {
      void one.getBoundingClientRect();
      one.classList.add("flash");
    });
  }
  const said = element.querySelector(".shown-where");
  said.textContent = said.dataset.words.replace("#", photograph).replace("*", () => words);
  if (matchMedia("(max-width: 900px)").matches) shown.scrollIntoView({ block: "start" });
}

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  if (button.dataset.zoom) {
    const stage = button.closest(".picture").querySelector(".stage");
    if (button.dataset.zoom === "whole") whole(stage);
    else zoomMiddle(stage, button.dataset.zoom === "in" ? step : 1 / step);
  }
  if (button.dataset.number) choose(Number(button.dataset.number));
  if (button.dataset.away) trigger("delete", { number: Number(button.dataset.away) });
});

element.addEventListener("change", (event) => {
  const one = event.target;
  if (one.matches(".switch")) {
    ticked.set(one.value, one.checked);
    all(".switch").forEach((box) => { if (box.value === one.value) box.checked = one.checked; });
  } else if (one.matches(".eye, .visit")) {
    const about = one.closest(".about");
    trigger("input", {
      number: Number(one.dataset.number),
      eye: about.querySelector(".eye").value,
      visit: about.querySelector(".visit").value,
    });
  }
});

element.addEventListener("wheel", (event) => {
  const stage = event.target.closest(".stage");
  if (!stage || !(event.ctrlKey || stage.contains(document.activeElement))) return;
  event.preventDefault();
  const box = stage.getBoundingClientRect();
  zoomAt(stage, Math.exp(-event.deltaY / 300), event.clientX - box.left, event.clientY - box.top);
}, { passive: false });

element.addEventListener("keydown", (event) => {
  const stage = event.target;
  if (!stage.matches || !stage.matches(".stage")) return;
  const s = sight(stage), by = 40;
  const keys = {
    "+": () => zoomMiddle(stage, step), "=": () => zoomMiddle(stage, step),
    "-": () => zoomMiddle(stage, 1 / step), "0": () => whole(stage),
    ArrowLeft: () => { s.x += by; apply(stage); }, ArrowRight: () => { s.x -= by; apply(stage); },
    ArrowUp: () => { s.y += by; apply(stage); }, ArrowDown: () => { s.y -= by; apply(stage); },
  };
  if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key.startsWith("Arrow") && s.zoom === 1) return;  // the page may scroll
  keys[event.key]();
  event.preventDefault();
});

const fingers = new Map();
let pinched = 0;
element.addEventListener("pointerdown", (event) => {
  const stage = event.target.closest(".stage");
  if (!stage) return;
  fingers.set(event.pointerId, event);
  if (fingers.size === 2) pinched = apart();
});
element.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId), stage = event.target.closest(".stage");
  if (!before || !stage) return;
  fingers.set(event.pointerId, event);
  const s = sight(stage), box = stage.getBoundingClientRect();
  if (fingers.size === 2) {
    const now = apart(), [a, b] = [...fingers.values()];
    zoomAt(stage, now / pinched, (a.clientX + b.clientX) / 2 - box.left, (a.clientY + b.clientY) / 2 - box.top);
    pinched = now;
  } else if (s.zoom > 1) {
    s.x += event.clientX - before.clientX;
    s.y += event.clientY - before.clientY;
    apply(stage);
  }
});
const apart = () => {
  const [a, b] = [...fingers.values()];
  return Math.max(1, Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY));
};
for (const end of ["pointerup", "pointercancel", "pointerleave"]) {
  element.addEventListener(end, (event) => fingers.delete(event.pointerId));
}

window.addEventListener("resize", () => all(".stage").forEach(whole));
document.addEventListener("fundoscope:where", (event) => showWhere(event.detail));
watch("value", restore);
