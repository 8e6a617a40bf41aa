// The requests that run and the last that ran; each opens and tells what is known of it.

import {at, make, marked, pairs, spoken, tell} from "./dom.js";
import {count, dollars, many, moment, now, seconds} from "./words.js";

const FIRST = 8;
const SERVED = {
  kept: "the process that had this conversation went on",
  parked: "the process that waited for its tools' results went on",
  rewound: "a process with this conversation's beginning went back to where they part",
  reused: "a process that had another conversation of the same kind began anew",
  spare: "a process that was started in advance",
  cold: "a process that was started for it",
};

const rows = new Map();
let turns = [], all = false;

const read = turn => turn.input_tokens + turn.cache_read_tokens + turn.cache_write_tokens;

function stateOf(turn) {
  if (turn.running) return ["running", "running"];
  if (turn.code === "client_gone") return ["client left", "dim"];
  return turn.code ? [`${turn.status} ${turn.code}`, "bad"] : [String(turn.status), "good"];
}

function factsOf(turn) {
  const cached = turn.cache_read_tokens ? `, ${count(turn.cache_read_tokens)} of them cached` : "";
  return [
    ["Asked for", turn.asked ?? "the default model"],
    ["Answered by", `${turn.model ?? "nobody"}${turn.instead_of ? `, instead of ${turn.instead_of}` : ""}`],
    ["Route", turn.route],
    ["Program", turn.program || "unnamed"],
    ["Key", turn.key ?? "none"],
    ["Served", turn.served ? `${turn.served}: ${SERVED[turn.served] ?? ""}` : "not yet"],
    ["Timings", `${seconds(turn.queued_ms)} in the queue, first token after ${seconds(turn.ttft_ms)}, ${turn.running ? "running" : `all of it ${seconds(turn.ms)}`}`],
    ["Tokens", turn.running ? "counted at its end" : `${many(read(turn), "token")} in${cached}, ${count(turn.output_tokens)} out`],
    ["Ended", turn.running ? "not yet" : turn.stop ?? "without an answer"],
    ["List price", turn.running ? "known at its end" : turn.extra_usage ? `${dollars(turn.dollars)}, billed as extra usage` : dollars(turn.dollars)],
    ["Request id", turn.id],
  ];
}

function rowOf() {
  const cell = (name, label) => make("span", {class: name}, ...(label ? [spoken(`${label} `)] : []), make("span"));
  const cells = {time: cell("time"), status: cell("status"), model: cell("model"), key: cell("key", "key"), tokens: cell("tokens", "tokens"),
    first: cell("first number", "first token"), duration: cell("duration number", "duration")};
  const facts = make("dl", {class: "facts"}), words = make("p", {class: "bad words"});
  const details = make("details", {}, make("summary", {}, ...Object.values(cells)), words, facts);
  const row = {item: make("li", {}, details), cells, facts, words, details};
  details.addEventListener("toggle", () => fill(row));
  return row;
}

function fill({details, facts, words, turn}) {
  words.hidden = !turn.words;
  if (!details.open) return;
  facts.replaceChildren(...pairs(factsOf(turn)));
  words.replaceChildren(...marked(turn.words ?? ""));
}

function show(row, turn) {
  const [state, kind] = stateOf(turn);
  const texts = {
    time: moment(turn.at),
    status: state,
    model: turn.name ?? "–",
    key: turn.key ?? "",
    tokens: turn.running || !read(turn) ? "–" : `${count(read(turn))} in, ${count(turn.output_tokens)} out`,
    first: seconds(turn.ttft_ms),
    duration: seconds(turn.running ? Math.max(0, now() - turn.at) * 1000 : turn.ms),
  };
  for (const [name, text] of Object.entries(texts)) tell(row.cells[name].lastChild, text);
  row.cells.status.lastChild.className = `chip ${kind}`;
  // What has not changed stays, with what a person has selected in it.
  const told = JSON.stringify(turn);
  if (row.told !== told) { Object.assign(row, {turn, told}); fill(row); }
}

function update() {
  const shown = all ? turns : turns.slice(0, FIRST);
  at("none").hidden = turns.length > 0;
  at("activity").classList.toggle("keyless", turns.every(turn => !turn.key));
  at("columns").hidden = !turns.length;
  at("more").hidden = turns.length <= FIRST;
  tell(at("more"), all ? "Show fewer" : `Show all ${turns.length}`);
  const kept = new Set(shown.map(turn => turn.id));
  for (const [id, row] of rows) if (!kept.has(id)) { row.item.remove(); rows.delete(id); }
  shown.forEach((turn, place) => {
    if (!rows.has(turn.id)) rows.set(turn.id, rowOf());
    const row = rows.get(turn.id), list = at("requests");
    show(row, turn);
    if (list.children[place] !== row.item) list.insertBefore(row.item, list.children[place] ?? null);
  });
}

export function showRequests(told) {
  turns = told;
  update();
}

at("more").addEventListener("click", () => { all = !all; update(); });
setInterval(() => { if (turns.some(turn => turn.running)) update(); }, 500);
