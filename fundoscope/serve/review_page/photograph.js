// The photograph with the record's boxes over it.

import { byId, draw, make, replaceIn } from "./page.js";

// Colour, dash and label tell kinds apart, so that none has to.
const LOOKS = {
  microaneurysm: ["#7cc4ff", ""],
  haemorrhage: ["#ffffff", ""],
  hard_exudate: ["#2fe08f", "9 5"],
  soft_exudate: ["#dba0ff", "3 4"],
  optic_disc: ["#8fa6ff", "14 5"],
  lacquer_crack: ["#f0e442", ""],
  choroidal_neovascularisation: ["#ff9d2e", "9 5"],
  fuchs_spot: ["#ff7dbe", "3 4"],
};
const OTHER = ["#d5d5d5", "6 4"];
const hidden = new Set();

export const look = (kind) => LOOKS[kind] || OTHER;

export function showPhotograph(item) {
  const sheet = byId("sheet");
  byId("figure").classList.toggle("without", !item.photograph);
  byId("zoom").hidden = !item.photograph;
  if (!item.photograph) {
    const about = item.topic ? `about ${item.topic.replaceAll("_", " ")}` : "its labels alone were read";
    replaceIn(sheet, make("p", { class: "no-photograph" }, `There is no photograph: ${about}.`));
    replaceIn(byId("layers"));
    return;
  }
  const { width_px: width = 1, height_px: height = 1, modality, eye } = item.photograph;
  const picture = make("img", {
    src: `/api/photograph?${new URLSearchParams({ id: item.id })}`,
    alt: `${modality}${eye ? ` of the ${eye} eye` : ""}, ${item.key}`,
    width: width || 1,
    height: height || 1,
  });
  picture.addEventListener("error", () =>
    replaceIn(sheet, make("p", { class: "no-photograph" }, "The photograph cannot be shown: it is not where the run found it, or cannot be read.")),
  );
  replaceIn(sheet, picture, overlay(item.boxes, width || 1, height || 1));
  showLayers(item.boxes);
}

function overlay(boxes, width, height) {
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true", class: "boxes" });
  const stroke = Math.max(width, height) / 400;
  for (const one of boxes) {
    const [left, top, right, bottom] = one.box;
    const place = {
      x: left * width,
      y: top * height,
      width: Math.max((right - left) * width, stroke),
      height: Math.max((bottom - top) * height, stroke),
      rx: stroke,
    };
    const [colour, dash] = look(one.kind);
    const title = `${one.name}${one.count > 1 ? `, ${one.count} outlined` : ""} (${one.source})`;
    svg.append(
      draw(
        "g",
        { class: "box", "data-kind": one.kind, "data-box": one.box.join() },
        draw("title", {}, title),
        draw("rect", { ...place, class: "edge" }),
        draw("rect", { ...place, class: "line", stroke: colour, "stroke-dasharray": dash || null }),
      ),
    );
  }
  return svg;
}

function showLayers(boxes) {
  const counts = new Map();
  for (const one of boxes) counts.set(one.kind, (counts.get(one.kind) || 0) + 1);
  const layers = [...counts].map(([kind, count]) => {
    const box = make("input", { type: "checkbox", "data-kind": kind });
    box.checked = !hidden.has(kind);
    box.addEventListener("change", () => {
      if (box.checked) hidden.delete(kind);
      else hidden.add(kind);
      hideLayers();
    });
    return make("label", { class: "layer" }, box, swatch(kind), `${kind.replaceAll("_", " ")} ${count}`);
  });
  replaceIn(byId("layers"), ...(layers.length ? layers : [make("span", { class: "hint" }, "The record has no boxes.")]));
  hideLayers();
}

function swatch(kind) {
  const [colour, dash] = look(kind);
  return draw(
    "svg",
    { viewBox: "0 0 28 12", class: "swatch", "aria-hidden": "true" },
    draw("rect", { width: 28, height: 12, fill: "#101012" }),
    draw("line", { x1: 2, y1: 6, x2: 26, y2: 6, stroke: colour, "stroke-width": 3, "stroke-dasharray": dash ? dash.split(" ").map((n) => n * 0.6).join(" ") : null }),
  );
}

function hideLayers() {
  for (const group of document.querySelectorAll("#sheet .box")) {
    group.classList.toggle("off", hidden.has(group.dataset.kind));
  }
}

export function toggleLayers() {
  const boxes = [...document.querySelectorAll("#layers input")];
  const on = boxes.some((box) => box.checked);
  for (const box of boxes) {
    box.checked = !on;
    box.dispatchEvent(new Event("change"));
  }
  return !on;
}

export function toggleZoom() {
  const zoomed = byId("stage").classList.toggle("zoomed");
  byId("zoom").setAttribute("aria-pressed", String(zoomed));
  if (zoomed) {
    const stage = byId("stage");
    stage.scrollTo((stage.scrollWidth - stage.clientWidth) / 2, (stage.scrollHeight - stage.clientHeight) / 2);
  }
}

export function lightBoxes(places) {
  const wanted = new Set(places);
  for (const group of document.querySelectorAll("#sheet .box")) {
    group.classList.toggle("lit", wanted.has(group.dataset.box));
  }
}
