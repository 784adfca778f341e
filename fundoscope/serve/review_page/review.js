// The review page: which dialogue is shown, what its reviewer may do, and by which keys.

import { Editor } from "./editor.js";
import { byId, make, plural, readable, replaceIn } from "./page.js";
import { showPhotograph, toggleLayers, toggleZoom } from "./photograph.js";
import { answerParts, closeCard, MARKS, showStatements, wireCard } from "./sentences.js";
import { ask, newToken, recall, Refusal, remember, sendAct, tell, unanswered } from "./server.js";

const FILTERS = ["track", "language", "dataset"];
const MODES = { doubtful: "Doubtful first", rejects: "Rejects", sample: "Random sample", all: "All", disputed: "Disagreements" };
const DECIDED = { accept: "Accepted as it is", edit: "Accepted in other words", reject: "Rejected" };

const here = {
  who: "",
  run: null,
  mode: "doubtful",
  track: "",
  language: "",
  dataset: "",
  place: 0,
  total: 0,
  disputed: [],
  item: null,
  editor: null,
  last: null, // the dialogue that was decided last, for undo
  busy: false,
};

// where we are, in the address: a reload comes back to it

function readAddress() {
  const said = new URLSearchParams(location.search);
  here.who = (said.get("as") || "").trim();
  if (said.get("queue") in MODES) here.mode = said.get("queue");
  for (const name of FILTERS) here[name] = said.get(name) || "";
  here.place = Math.max(0, Number.parseInt(said.get("place") || "0", 10) || 0);
}

function writeAddress() {
  const said = new URLSearchParams({ as: here.who, queue: here.mode });
  for (const name of FILTERS) if (here[name]) said.set(name, here[name]);
  if (here.place) said.set("place", here.place);
  history.replaceState(null, "", `?${said}`);
}

const filters = () => ({ mode: here.mode, track: here.track, language: here.language, dataset: here.dataset, as: here.who });
const isDisputed = () => here.mode === "disputed";
const draftName = (item) => `fundoscope-review-draft:${here.who}:${item.id}:${item.version}`;

// coming in

async function begin() {
  readAddress();
  wireCard();
  wire();
  try {
    here.run = await ask("/api/run");
  } catch (problem) {
    if (!(problem instanceof Refusal) || problem.status !== 401) return showFailure(problem);
    return openStart(true);
  }
  if (!here.who) return openStart(false);
  await enter();
}

function openStart(withToken) {
  byId("token-row").hidden = !withToken;
  byId("token").required = withToken;
  byId("name").value = here.who;
  byId("start").showModal();
}

async function start() {
  const problem = byId("start-problem");
  problem.textContent = "";
  try {
    if (!byId("token-row").hidden) await tell("/api/enter", { token: byId("token").value });
    here.run = await ask("/api/run");
    const who = byId("name").value.trim();
    await ask("/api/queue", { mode: "all", limit: 1, as: who });
    here.who = who;
  } catch (refused) {
    problem.textContent = refused.message;
    return;
  }
  byId("start").close();
  byId("token").value = "";
  await enter();
}

async function enter() {
  here.last = null;
  byId("record").open = window.innerWidth > 900;
  byId("run").textContent = here.run.run;
  byId("who").textContent = here.who;
  fillFilters();
  showReasons();
  for (const act of unanswered(here.who, here.run.run)) await send(act, null);
  await loadQueue();
}

function fillFilters() {
  const modes = Object.entries(MODES).map(([mode, name]) => {
    const count = here.run.modes[mode];
    return make("option", { value: mode }, count === undefined ? name : `${name} (${count.toLocaleString("en")})`);
  });
  replaceIn(byId("mode"), ...modes);
  byId("mode").value = here.mode;
  for (const name of FILTERS) {
    const values = here.run.choices[name];
    if (!values.includes(here[name])) here[name] = "";
    replaceIn(byId(name), make("option", { value: "" }, "all"), ...values.map((value) => make("option", { value }, value)));
    byId(name).value = here[name];
    byId(name).parentElement.hidden = values.length < 2;
  }
}

// the queue

async function loadQueue() {
  writeAddress();
  for (const name of FILTERS) byId(name).disabled = isDisputed();
  if (isDisputed()) {
    const said = await ask("/api/disputed", { as: here.who });
    here.disputed = said.items;
    here.agreement = said.agreement;
    here.total = said.items.length;
    showProgress(said.items.filter((one) => one.decided).length, "decided");
  } else await loadProgress();
  if (here.place >= here.total) here.place = 0;
  if (!here.total) return showEmpty();
  await showPlace(here.place);
}

async function loadProgress() {
  const said = await ask("/api/queue", { ...filters(), limit: 1 });
  here.total = said.total;
  showProgress(said.done, "decided by you", said.reviewers);
}

function showProgress(done, word, reviewers = {}) {
  const others = Object.entries(reviewers).filter(([name]) => name !== here.who);
  const beside = others.length ? ` · ${others.map(([name, n]) => `${name} ${n}`).join(", ")}` : "";
  byId("progress").textContent = `${done.toLocaleString("en")} of ${here.total.toLocaleString("en")} ${word}${beside}`;
  byId("bar").max = Math.max(1, here.total);
  byId("bar").value = done;
}

function showEmpty() {
  here.item = null;
  byId("main").hidden = true;
  byId("empty").hidden = false;
  byId("empty-text").textContent = isDisputed()
    ? "No two reviewers differ on a dialogue that you may decide."
    : "Choose another queue or fewer filters.";
  setButtons();
}

async function showPlace(place) {
  if (here.editor) closeEditor(false);
  const found = isDisputed() ? here.disputed[place] : (await ask("/api/queue", { ...filters(), start: place, limit: 1 })).items[0];
  if (!found) return showEmpty();
  here.place = place;
  here.why = found.why || "";
  writeAddress();
  await showItem(found.id);
}

async function showItem(id) {
  const item = await ask(isDisputed() ? "/api/dispute" : "/api/item", { id, as: here.who });
  const another = here.item?.id !== item.id;
  here.item = item;
  byId("main").hidden = false;
  byId("empty").hidden = true;
  if (another) showPhotograph(item);
  showStatements(item);
  showHead();
  showTurns();
  showDecided();
  showReviews();
  setButtons();
  if (another) {
    window.scrollTo(0, 0);
    byId("dialogue").focus({ preventScroll: true });
  }
}

// one dialogue

function showHead() {
  const item = here.item;
  byId("title").textContent = item.key;
  const language = { en: "English", zh: "Chinese" }[item.language] || item.language;
  const engine = [item.engine, item.model].filter(Boolean).join(" ");
  byId("about").textContent = [`${here.place + 1} of ${here.total}`, item.track, language, engine, here.why].filter(Boolean).join(" · ");
  document.title = `${item.key} · Review · fundoscope`;
  const verdict = byId("verdict");
  if (item.verdict?.passes) {
    verdict.className = "verdict supported";
    verdict.textContent = "✓ Every claim that was read holds.";
  } else {
    verdict.className = "verdict contradicted";
    const where = item.verdict && item.verdict.turn !== null ? `Turn ${item.verdict.turn + 1}: ` : "";
    verdict.textContent = `✗ ${where}${readable(item.verdict?.impossible || item.verdict?.problem || item.reason)}`;
  }
}

function showTurns() {
  const item = here.item;
  const language = item.language === "zh" ? "zh" : "en";
  const turns = item.turns.map((turn, index) =>
    make(
      "article",
      { class: "turn", "aria-label": `Turn ${index + 1}` },
      make("p", { class: "question", lang: language }, turn.question),
      make("p", { class: "answer", lang: language }, ...answerParts(item.verdict.turns[index], language)),
    ),
  );
  if (!turns.length) turns.push(make("pre", { class: "raw" }, item.raw || "The engine gave no words."));
  replaceIn(byId("turns"), ...turns);
  byId("turns").hidden = false;
  byId("legend").hidden = !item.turns.length;
  replaceIn(
    byId("legend"),
    ...["supported", "contradicted", "unsupported"].map((judgement) =>
      make("span", { class: `sample ${judgement}` }, `${MARKS[judgement]} ${judgement}`),
    ),
    make("span", {}, "no line: nothing in it was read as a claim"),
  );
}

function showDecided() {
  const mine = here.item.mine;
  const told = byId("decided");
  if (!mine) return replaceIn(told);
  const reason = mine.reason ? `: ${mine.reason}` : "";
  const lines = [make("p", {}, make("strong", {}, DECIDED[mine.what]), `${reason} `, make("span", { class: "source" }, `${isDisputed() ? `${mine.who}, ` : ""}${when(mine.at)}`))];
  if (mine.what === "edit") lines.push(...changes(mine.turns));
  replaceIn(told, make("div", { class: `decision ${mine.what}` }, ...lines));
}

const when = (at) => `${at.slice(0, 16).replace("T", " ")} UTC`;

// What an edit changed, turn by turn.
function changes(turns) {
  const language = here.item.language === "zh" ? "zh" : "en";
  const before = here.item.turns;
  const lines = turns.filter(({ of, question, answer }) => question !== before[of].question || answer !== before[of].answer);
  const gone = before.length - turns.length;
  return [
    ...lines.map((turn) => make("blockquote", { lang: language }, make("p", { class: "question" }, turn.question), make("p", {}, turn.answer))),
    gone > 0 ? make("p", {}, `${plural(gone, "turn", "turns")} left out.`) : null,
  ].filter(Boolean);
}

function showReviews() {
  const place = byId("reviews");
  if (!isDisputed()) return replaceIn(place);
  const panels = here.item.reviews.map((act, index) =>
    make(
      "section",
      { class: `decision ${act.what}`, "aria-label": `Review ${index + 1}` },
      make("p", {}, make("strong", {}, DECIDED[act.what]), act.reason ? `: ${act.reason} ` : " ", make("span", { class: "source" }, `${act.who}, ${when(act.at)}`)),
      act.problem ? make("p", { class: "why" }, `The verifier objected: ${act.problem}`) : null,
      ...(act.what === "edit" ? changes(act.turns) : []),
      make("button", { type: "button", class: "take", onclick: () => take(index) }, "Take this ", make("kbd", {}, index + 1)),
    ),
  );
  replaceIn(place, make("h3", {}, "Two reviews differ"), make("div", { class: "sides" }, ...panels));
}

function setButtons() {
  const item = here.item;
  const editing = Boolean(here.editor);
  const shown = Boolean(item);
  byId("accept").disabled = !shown || editing || !item.turns.length || Boolean(item.verdict?.impossible);
  byId("edit").disabled = !shown || editing || !item.turns.length;
  byId("reject").disabled = !shown || editing;
  byId("undo").disabled = editing || !(item?.mine || here.last);
  byId("previous").disabled = !shown || editing || here.place === 0;
  byId("next").disabled = !shown || editing || here.place + 1 >= here.total;
}

// acts

function status(text) {
  byId("status").textContent = text;
}

function newAct(what, more = {}) {
  const item = here.item;
  const role = isDisputed() ? { role: "adjudicate", over: item.over } : {};
  return { as: here.who, id: item.id, version: item.version, what, saw: item.head, token: newToken(), ...role, ...more };
}

// Returns whether the act was kept. Where another window was first, what it did is shown.
async function send(said, item) {
  byId("notice").textContent = "";
  try {
    const answer = await sendAct(said, here.run.run, () => status("The server does not answer. Trying again; nothing is lost."));
    status(`${told(said)} ${said.id}`);
    if (item) Object.assign(item, answer.now);
    return true;
  } catch (problem) {
    status("");
    byId("notice").textContent = `Not kept: ${problem.message}${problem.said?.mend ? `; ${problem.said.mend}` : ""}.`;
    if (problem.status === 409 && item && problem.said.now) {
      Object.assign(item, problem.said.now);
      showDecided();
      setButtons();
    }
    return false;
  }
}

const told = (said) => ({ accept: "Accepted", edit: "Accepted in your words:", reject: "Rejected", undo: "Taken back:" })[said.what];

async function decided(what, more) {
  const id = here.item.id;
  const place = here.place;
  if (!(await send(newAct(what, more), here.item))) return;
  here.last = { id, place };
  if (here.editor) closeEditor(true);
  await goOn();
}

async function goOn() {
  if (isDisputed()) {
    const after = here.place;
    const said = await ask("/api/disputed", { as: here.who });
    here.disputed = said.items;
    here.total = said.items.length;
    showProgress(said.items.filter((one) => one.decided).length, "decided");
    const open = [...said.items.keys()].filter((place) => !said.items[place].decided);
    const next = open.find((place) => place > after) ?? open[0];
    return next === undefined ? finished() : showPlace(next);
  }
  await loadProgress();
  await nextUndone();
}

async function nextUndone() {
  if (isDisputed()) return;
  const found = (await ask("/api/next", { ...filters(), after: here.place })).next;
  if (found) return showPlace(found.place);
  await finished();
}

async function finished() {
  await showItem(here.item.id);
  status("This queue is done.");
}

async function accept() {
  if (byId("accept").disabled) return;
  const problem = here.item.verdict.problem;
  if (!problem) return decided("accept");
  openOverride(problem, (reason) => decided("accept", { reason }));
}

function openOverride(problem, go) {
  byId("override-problem").textContent = readable(problem);
  byId("override-reason").value = "";
  byId("override-form").onsubmit = (event) => {
    event.preventDefault();
    const reason = byId("override-reason").value.trim();
    if (!reason) return;
    byId("override-dialog").close();
    attempt(() => go(reason));
  };
  byId("override-dialog").showModal();
}

function openReject() {
  if (byId("reject").disabled) return;
  byId("own-reason").value = "";
  byId("reject-dialog").showModal();
}

function reject(reason) {
  if (!reason.trim()) return byId("own-reason").focus();
  byId("reject-dialog").close();
  attempt(() => decided("reject", { reason: reason.trim() }));
}

async function take(index) {
  const review = here.item.reviews[index];
  if (!review || here.editor) return;
  if (review.what === "edit") {
    const turns = review.turns;
    if (review.problem) return openOverride(review.problem, (reason) => decided("edit", { turns, reason }));
    return decided("edit", { turns });
  }
  if (review.what === "reject") return decided("reject", { reason: review.reason });
  return accept();
}

async function undo() {
  if (byId("undo").disabled) return;
  if (!here.item?.mine && here.last) {
    const last = here.last;
    here.last = null;
    here.place = last.place;
    await showItem(last.id);
    if (!here.item.mine) return setButtons();
  }
  here.last = null;
  if (!(await send(newAct("undo"), here.item))) return;
  const note = byId("status").textContent;
  if (!isDisputed()) await loadProgress();
  await showItem(here.item.id);
  status(note);
}

// editing

function edit() {
  if (byId("edit").disabled) return;
  const item = here.item;
  const words = item.mine?.what === "edit" ? item.mine.turns : item.turns.map((turn, of) => ({ of, ...turn }));
  closeCard();
  here.editor = new Editor(item, words, draftName(item), {
    onSave: () => attempt(saveEdit),
    onCancel: () => closeEditor(false),
    onDiscard: () => {
      closeEditor(true);
      edit();
    },
  });
  hideReading(true);
  byId("turns").after(here.editor.element);
  here.editor.open(item.verdict.turn ?? 0);
  setButtons();
}

function hideReading(hidden) {
  for (const id of ["turns", "verdict", "legend"]) byId(id).hidden = hidden;
  document.body.classList.toggle("editing", hidden);
}

async function saveEdit() {
  const editor = here.editor;
  if (!editor) return;
  if (!editor.changed()) return status("Nothing was changed.");
  clearTimeout(editor.timer);
  if (!editor.verdict) await editor.verify();
  if (!editor.verdict || editor.verdict.impossible) return;
  const reason = editor.why.value.trim();
  if (!editor.verdict.passes && !reason) {
    editor.why.focus();
    return status("The verifier objects: mend the words, or say why they are right all the same.");
  }
  await decided("edit", { turns: editor.turns(), reason });
}

function closeEditor(forgetDraft) {
  here.editor?.close({ forgetDraft });
  here.editor = null;
  hideReading(false);
  closeCard();
  setButtons();
  byId("dialogue").focus({ preventScroll: true });
}

// keys and buttons

function move(step) {
  const place = here.place + step;
  if (here.item && place >= 0 && place < here.total) return showPlace(place);
}

const KEYS = {
  a: accept,
  e: edit,
  r: openReject,
  u: undo,
  j: () => move(1),
  k: () => move(-1),
  n: nextUndone,
  b: toggleLayers,
  z: toggleZoom,
  "?": () => byId("help").showModal(),
  1: () => isDisputed() && here.item && take(0),
  2: () => isDisputed() && here.item && take(1),
};

function onKey(event) {
  if (event.ctrlKey && event.key === "Enter" && here.editor) {
    event.preventDefault();
    return attempt(saveEdit);
  }
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (byId("reject-dialog").open) return onReasonKey(event);
  if (document.querySelector("dialog[open]")) return;
  if (event.key === "Escape") {
    if (!byId("card").hidden) return closeCard();
    if (here.editor) return attempt(() => closeEditor(false));
  }
  const field = event.target.closest?.("input:not([type=checkbox]), textarea, select");
  if (field || !byId("keys-on").checked) return;
  if ((event.key === "Enter" || event.key === " ") && event.target.classList?.contains("part")) {
    event.preventDefault();
    return event.target.click();
  }
  const does = KEYS[event.key];
  if (!does || (here.editor && event.key !== "?")) return;
  event.preventDefault();
  attempt(does);
}

function onReasonKey(event) {
  if (event.target === byId("own-reason")) return;
  const number = Number(event.key);
  if (number === 9) byId("own-reason").focus();
  else if (here.run.reasons[number - 1]) reject(here.run.reasons[number - 1]);
  else return;
  event.preventDefault();
}

// One thing at a time: a key that comes before the next dialogue is shown must not decide about it,
// nor about the last one again. A server that is gone for a moment is told of.
async function attempt(does) {
  if (here.busy) return;
  busy(true);
  try {
    await does();
  } catch (problem) {
    showFailure(problem);
  } finally {
    busy(false);
  }
}

function busy(is) {
  here.busy = is;
  document.body.setAttribute("aria-busy", String(is));
}

function showFailure(problem) {
  if (!(problem instanceof Refusal) && !(problem instanceof TypeError)) throw problem;
  if (problem instanceof TypeError && !/fetch|network/i.test(problem.message)) throw problem;
  status(problem instanceof Refusal ? problem.message : "The server does not answer. Try again in a moment.");
}

function wire() {
  const buttons = { accept, edit, reject: openReject, undo, next: () => move(1), previous: () => move(-1), zoom: toggleZoom };
  for (const [id, does] of Object.entries(buttons)) byId(id).addEventListener("click", () => attempt(does));
  byId("help-button").addEventListener("click", () => byId("help").showModal());
  byId("change").addEventListener("click", () => openStart(false));
  byId("start-form").addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(start);
  });
  byId("start").addEventListener("cancel", (event) => here.who || event.preventDefault());
  for (const button of document.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => button.closest("dialog").close());
  }
  byId("reject-form").addEventListener("submit", (event) => {
    event.preventDefault();
    reject(byId("own-reason").value);
  });
  byId("reject-dialog").addEventListener("close", () => byId("dialogue").focus({ preventScroll: true }));
  byId("mode").addEventListener("change", () => chooseQueue());
  for (const name of FILTERS) byId(name).addEventListener("change", () => chooseQueue());
  byId("filters").addEventListener("submit", (event) => event.preventDefault());
  byId("keys-on").checked = recall("fundoscope-review-keys") !== false;
  byId("keys-on").addEventListener("change", () => remember("fundoscope-review-keys", byId("keys-on").checked));
  document.addEventListener("keydown", onKey);
}

function chooseQueue() {
  here.mode = byId("mode").value;
  for (const name of FILTERS) here[name] = byId(name).value;
  here.place = 0;
  here.item = null;
  attempt(loadQueue);
}

function showReasons() {
  const buttons = here.run.reasons.map((reason, index) =>
    make("button", { type: "button", onclick: () => reject(reason) }, make("kbd", {}, index + 1), ` ${reason}`),
  );
  replaceIn(byId("reasons"), ...buttons);
}

await attempt(begin);
