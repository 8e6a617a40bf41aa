// The hosts that share the database, as that knows them.

import {at, make, marked} from "./dom.js";
import {nameOf} from "./plan.js";
import {now, weekday} from "./words.js";

const CHIPS = {ready: "good", stopped: "", gone: "bad", "not ready": "bad"};

function stateOf({state, reason, since, seen_at: seen}) {
  const more = {ready: `since ${weekday(since)}`, "not ready": reason}[state] ?? `last seen ${weekday(seen)}`;
  return [make("span", {class: `chip ${CHIPS[state]}`, text: state}), " ", make("span", {class: "dim"}, ...marked(more))];
}

function planOf({plan, windows}) {
  const used = Object.entries(windows)
    .filter(([, {used_percent: percent, resets_at: resets}]) => percent !== null && (resets === null || resets > now()))
    .map(([name, {used_percent: percent}]) => `${nameOf(name)} ${Math.round(percent)}\u00a0%`);
  const known = used.sort().join(", ").toLowerCase();
  return plan ? `${plan[0].toUpperCase()}${plan.slice(1)}${known && `: ${known}`}` : known || "plan not known";
}

function rowOf(host) {
  const there = host.state === "ready" || host.state === "not ready";
  const queued = host.queued ? `, ${host.queued} waiting` : "";
  return make("tr", {},
    make("th", {text: host.name, scope: "row"}),
    make("td", {}, ...stateOf(host)),
    make("td", {text: there ? `${host.running} running${queued}, ${host.shelf} on the shelf` : "\u2013"}),
    make("td", {text: planOf(host)}),
    make("td", {}, host.login ? make("code", {text: host.login}) : "login not known"),
    make("td", {text: `${host.version}, claude ${host.cli ?? "not found"}`}));
}

export function showHosts({hosts, as_of: past}) {
  at("hosts-part").hidden = !hosts.length;
  at("hosts-old").hidden = past === null;
  if (past !== null) at("hosts-old").textContent = `The database does not answer. This is what it said ${weekday(past)}.`;
  at("hosts").replaceChildren(...hosts.map(rowOf));
}
