// The plan's windows, and what each key may use of it.

import {at, make} from "./dom.js";
import {count, dollars, now, span, weekday} from "./words.js";

const LENGTHS = {five_hour: "Five hours", seven_day: "Week"};
const FULL = 90;

let plan = null, left = [];

export function nameOf(name) {
  const [, length, rest] = /^(five_hour|seven_day)_?(.*)$/.exec(name) ?? [null, null, name];
  return [LENGTHS[length], rest.replaceAll("_", " ")].filter(Boolean).join(", ");
}

function windowOf(name, {used_percent: used, resets_at: resets, status}) {
  const title = nameOf(name);
  const line = make("p", {class: "line"}, make("span", {text: title}), make("strong", {text: used === null ? status ?? "unknown" : `${Math.round(used)} % used`}));
  const box = make("div", {class: "window"}, line);
  if (used !== null) {
    box.append(make("progress", {max: 100, value: Math.min(100, used), "aria-label": `${title}, used`, class: used >= FULL ? "full" : ""}));
  }
  if (resets !== null) box.append(make("p", {text: `Begins anew ${weekday(resets)}, in ${span(resets - now())}.`, class: "dim"}));
  const estimate = left.find(each => each.window === name);
  if (estimate) {
    box.append(make("p", {text: `Estimate: ${count(estimate.tokens)} tokens left (${count(estimate.low)} to ${count(estimate.high)}), if nothing else uses the plan.`, class: "dim"}));
  }
  return box;
}

function show() {
  if (!plan) return;
  const names = Object.keys(plan.windows).sort();
  at("unknown").hidden = names.length > 0;
  at("plan").replaceChildren(...names.map(name => windowOf(name, plan.windows[name])));
}

export function showPlan(told) {
  plan = told;
  show();
}

export function showLeft(told) {
  left = told;
  show();
}

function budgetOf({key, most, left: rest, unit, of, resets_at: resets}) {
  const some = number => unit === "dollars" ? dollars(number) : `${Math.round(number).toLocaleString("en")} ${number === 1 ? unit.replace(/s$/, "") : unit}`;
  return make("tr", {},
    make("th", {text: key, scope: "row"}),
    make("td", {class: rest > 0 ? "" : "bad", text: some(Math.max(0, rest))}),
    make("td", {text: `${some(most)} of ${of}`}),
    make("td", {text: `in ${span(resets - now())}`}));
}

export function showBudgets(budgets) {
  at("budgets-part").hidden = !budgets.length;
  at("budgets").replaceChildren(...budgets.map(budgetOf));
}

setInterval(show, 30000);
