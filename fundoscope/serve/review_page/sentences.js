// An answer sentence by sentence, each marked by its verdict, and what each rests on.

import { byId, make, readable, replaceIn } from "./page.js";
import { lightBoxes } from "./photograph.js";

export const MARKS = { supported: "✓", contradicted: "✗", unsupported: "?" };
let item = null;
let pinned = null;

export function showStatements(shown) {
  item = shown;
  closeCard();
  const lines = shown.statements.map((one) =>
    make(
      "li",
      { id: `statement-${one.id}`, lang: shown.language === "zh" ? "zh" : "en" },
      one.words,
      one.source ? make("span", { class: "source", lang: "en" }, ` ${one.source}`) : null,
    ),
  );
  replaceIn(byId("statements"), ...lines);
  byId("record-count").textContent = `(${lines.length})`;
}

export function answerParts(parts, language) {
  return parts.map((part) => {
    if (!part.judgement) return document.createTextNode(part.text);
    const mark = make("span", { class: "mark", "aria-hidden": "true" }, part.judgement === "supported" ? MARKS.supported : `${MARKS[part.judgement]} ${part.judgement}`);
    const span = make(
      "span",
      { class: `part ${part.judgement}`, tabindex: "0", role: "button", lang: language },
      part.text,
      make("span", { class: "unseen", lang: "en" }, ` (${part.judgement})`),
      mark,
    );
    span.addEventListener("pointerenter", (event) => event.pointerType === "mouse" && !pinned && openCard(span, part));
    span.addEventListener("pointerleave", (event) => event.pointerType === "mouse" && !pinned && closeSoon());
    span.addEventListener("focus", () => openCard(span, part));
    span.addEventListener("blur", () => closeCard());
    span.addEventListener("click", () => {
      pinned = pinned === span ? null : span;
      openCard(span, part);
    });
    return span;
  });
}

let closing = 0;

function closeSoon() {
  clearTimeout(closing);
  closing = setTimeout(() => !pinned && closeCard(), 250);
}

export function closeCard() {
  clearTimeout(closing);
  pinned = null;
  byId("card").hidden = true;
  for (const lit of document.querySelectorAll("#statements .lit, .part.open")) lit.classList.remove("lit", "open");
  lightBoxes([]);
}

function openCard(span, part) {
  clearTimeout(closing);
  for (const lit of document.querySelectorAll("#statements .lit, .part.open")) lit.classList.remove("lit", "open");
  span.classList.add("open");
  const card = byId("card");
  replaceIn(card, ...part.claims.map(claimLines));
  const ids = part.claims.flatMap((claim) => claim.rests_on);
  const known = new Map(item.statements.map((one) => [one.id, one]));
  for (const id of ids) byId(`statement-${id}`)?.classList.add("lit");
  showFirstLit();
  lightBoxes(ids.map((id) => known.get(id)?.box?.join()).filter(Boolean));
  card.hidden = false;
  place(card, span);
}

// Only the list is scrolled, not the page under the reader.
function showFirstLit() {
  const lit = document.querySelector("#statements .lit");
  const list = byId("record");
  if (!lit || !list.open) return;
  const above = lit.getBoundingClientRect().top - list.getBoundingClientRect().top;
  if (above < 0 || above > list.clientHeight - lit.offsetHeight) list.scrollTop += above - 40;
}

function place(card, span) {
  const rects = span.getClientRects();
  const below = rects[rects.length - 1];
  const room = document.documentElement.clientWidth;
  const left = Math.max(8, Math.min(rects[0].left, room - card.offsetWidth - 8));
  const bar = byId("actions").getBoundingClientRect().top;
  let top = below.bottom + 6;
  if (top + card.offsetHeight > bar - 6 && rects[0].top - card.offsetHeight - 6 > 0) {
    top = rects[0].top - card.offsetHeight - 6;
  }
  card.style.left = `${left + window.scrollX}px`;
  card.style.top = `${top + window.scrollY}px`;
}

function claimLines(claim) {
  return make(
    "div",
    { class: `claim ${claim.judgement}` },
    make("p", {}, make("strong", {}, `${MARKS[claim.judgement]} ${claim.judgement}`), ` ${claim.says}`),
    claim.reason ? make("p", { class: "why" }, readable(claim.reason)) : null,
    ...restsOn(claim),
  );
}

function restsOn(claim) {
  if (!claim.rests_on.length) {
    return claim.judgement !== "unsupported" ? [] : [make("p", { class: "ground" }, "The record says nothing of it.")];
  }
  const known = new Map(item.statements.map((one) => [one.id, one]));
  return claim.rests_on.slice(0, 6).map((id) => {
    const said = known.get(id);
    const fact = item.facts[id];
    if (fact) return make("p", { class: "ground" }, `Fact: ${fact.text} `, make("span", { class: "source" }, fact.source));
    return make("p", { class: "ground" }, `Record: ${said ? said.words : id} `, make("span", { class: "source" }, said?.source || ""));
  });
}

export function wireCard() {
  const card = byId("card");
  card.addEventListener("pointerenter", () => clearTimeout(closing));
  card.addEventListener("pointerleave", () => closeSoon());
  card.addEventListener("pointerdown", (event) => event.preventDefault()); // the sentence keeps its focus
  document.addEventListener("pointerdown", (event) => {
    if (!card.contains(event.target) && !event.target.closest?.(".part")) closeCard();
  });
}
