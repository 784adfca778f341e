// Editing a dialogue: every pause in typing has the words read back and held against the record.

import { make, readable, replaceIn } from "./page.js";
import { answerParts, closeCard } from "./sentences.js";
import { forget, recall, Refusal, remember, tell } from "./server.js";

const PAUSE_MS = 250;

// One open editor. `verdict` is of the words as they stand; null while it is being asked for.
export class Editor {
  constructor(item, turns, draftName, { onSave, onCancel, onDiscard }) {
    this.item = item;
    this.draftName = draftName;
    this.verdict = null;
    this.asked = 0;
    const draft = recall(draftName);
    this.start = turns;
    this.rows = (draft || turns).map((turn) => this.#row(turn));
    this.summary = make("p", { class: "live", role: "status" });
    this.why = make("input", { maxlength: "1000", autocomplete: "off", id: "edit-why" });
    this.whyRow = make("label", { class: "override", hidden: true }, "Accept these words all the same, because ", this.why);
    this.save = make("button", { type: "button", class: "accept", id: "edit-save", onclick: onSave }, "Accept these words ", make("kbd", {}, "Ctrl Enter"));
    const cancel = make("button", { type: "button", class: "quiet", onclick: onCancel }, "Back ", make("kbd", {}, "Esc"));
    this.element = make(
      "div",
      { class: "editor" },
      draft ? make("p", { class: "hint" }, "These are words of yours that were not sent. ", make("button", { type: "button", class: "quiet", onclick: onDiscard }, "Throw them away")) : null,
      ...this.rows.map((row) => row.element),
      make("div", { class: "editor-end" }, this.summary, this.whyRow, make("div", { class: "row" }, this.save, cancel)),
    );
    this.verify();
  }

  #row(turn) {
    const number = turn.of + 1;
    const language = this.item.language === "zh" ? "zh" : "en";
    const question = make("textarea", { rows: "1", maxlength: "8000", lang: language, "aria-label": `Question ${number}` });
    const answer = make("textarea", { rows: "2", maxlength: "8000", lang: language, "aria-label": `Answer ${number}` });
    const keep = make("input", { type: "checkbox", "aria-label": `Keep turn ${number}` });
    const live = make("p", { class: "answer preview", lang: language, "aria-label": `Answer ${number}, checked` });
    const row = { of: turn.of, question, answer, keep, live };
    question.value = turn.question;
    answer.value = turn.answer;
    keep.checked = turn.kept !== false;
    row.element = make(
      "fieldset",
      { class: "turn" },
      make("legend", {}, `Turn ${number} `, make("label", { class: "check" }, keep, "keep")),
      question,
      answer,
      live,
    );
    for (const field of [question, answer]) {
      field.addEventListener("input", () => this.#changed());
      field.addEventListener("input", () => fit(field));
    }
    keep.addEventListener("change", () => {
      row.element.classList.toggle("dropped", !keep.checked);
      this.#changed();
    });
    row.element.classList.toggle("dropped", !keep.checked);
    return row;
  }

  #differs(row) {
    const was = this.start.find((turn) => turn.of === row.of);
    return !was || was.question !== row.question.value || was.answer !== row.answer.value;
  }

  turns() {
    return this.rows
      .filter((row) => row.keep.checked)
      .map((row) => ({ of: row.of, question: row.question.value, answer: row.answer.value }));
  }

  changed() {
    return JSON.stringify(this.turns()) !== JSON.stringify(this.start.map(({ of, question, answer }) => ({ of, question, answer })));
  }

  #changed() {
    remember(
      this.draftName,
      this.rows.map((row) => ({ of: row.of, question: row.question.value, answer: row.answer.value, kept: row.keep.checked })),
    );
    this.verdict = null;
    this.summary.textContent = "Reading your words …";
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.verify(), PAUSE_MS);
  }

  async verify() {
    this.asking?.abort();
    this.asking = new AbortController();
    const mine = ++this.asked;
    const turns = this.turns();
    try {
      const verdict = await tell("/api/verify", { id: this.item.id, turns }, this.asking.signal);
      if (mine === this.asked) this.#show(verdict);
    } catch (problem) {
      if (problem.name === "AbortError" || mine !== this.asked) return;
      this.summary.textContent =
        problem instanceof Refusal ? problem.message : "The server does not answer. Your words are kept in this browser.";
      if (!(problem instanceof Refusal)) this.timer = setTimeout(() => this.verify(), 1500);
    }
  }

  #show(verdict) {
    this.verdict = verdict;
    closeCard();
    const kept = this.rows.filter((row) => row.keep.checked);
    for (const row of this.rows) replaceIn(row.live);
    kept.forEach((row, index) => {
      const parts = verdict.turns[index] || [];
      const holds = parts.every((part) => part.judgement === null || part.judgement === "supported");
      if (!holds || this.#differs(row)) replaceIn(row.live, ...answerParts(parts, row.live.lang));
    });
    this.settle?.();
    this.settle = null;
    this.summary.className = `live ${verdict.passes ? "supported" : "contradicted"}`;
    if (verdict.impossible) this.summary.textContent = `✗ These words cannot be exported: ${verdict.impossible}.`;
    else if (verdict.passes) this.summary.textContent = "✓ Every claim holds.";
    else this.summary.textContent = `✗ ${verdict.turn === null ? "" : `Turn ${kept[verdict.turn]?.of + 1}: `}${readable(verdict.problem)}`;
    this.whyRow.hidden = verdict.passes || Boolean(verdict.impossible);
    this.save.disabled = Boolean(verdict.impossible);
  }

  open(turn) {
    for (const row of this.rows) {
      fit(row.question);
      fit(row.answer);
    }
    const { answer } = this.rows.find((row) => row.of === turn) || this.rows[0];
    const centre = () => answer.scrollIntoView({ block: "center" });
    answer.focus();
    centre();
    this.settle = centre; // the first verdict makes the page longer
  }

  close({ forgetDraft }) {
    clearTimeout(this.timer);
    this.asking?.abort();
    this.asked += 1;
    if (forgetDraft || !this.changed()) forget(this.draftName);
    this.element.remove();
  }
}

function fit(field) {
  field.style.height = "auto";
  field.style.height = `${field.scrollHeight + 2}px`;
}
