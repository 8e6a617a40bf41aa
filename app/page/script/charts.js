// Requests, first token and tokens of a quarter of an hour, an hour or a day: three charts with one cursor, which a
// pointer moves, or the arrow keys.

import {Chart} from "./chart.js";
import {at, tell} from "./dom.js";
import {clock, count, many, moment, seconds, weekday} from "./words.js";

const NAMES = {900: "15 minutes", 3600: "hour", 86400: "day"};
const whole = number => number < 1 && number > 0 ? "" : count(number);
const charts = {
  requests: new Chart(at("chart-requests"), {least: 4, format: whole, layers: [
    {name: "good", of: bar => bar.requests - bar.errors}, {name: "bad", of: bar => bar.errors}]}),
  first: new Chart(at("chart-first"), {least: 1000, format: ms => ms ? `${ms / 1000} s` : "0", layers: [{name: "first", of: bar => bar.ttft_ms}]}),
  tokens: new Chart(at("chart-tokens"), {least: 1000, format: whole, layers: [
    {name: "cached", of: bar => bar.cached}, {name: "fresh", of: bar => bar.fresh}, {name: "output", of: bar => bar.output}]}),
};
const slider = at("moment");

let ranges = [], chosen = 3600, pointed = null;

const range = () => ranges.find(({step, count: bars}) => step * bars === chosen);
const sum = (bars, name) => bars.reduce((total, bar) => total + bar[name], 0);

function total(shown) {
  const errors = sum(shown.bars, "errors");
  tell(at("total-requests"), count(sum(shown.bars, "requests")));
  tell(at("total-errors"), errors ? `${count(errors)} failed` : "");
  const firsts = shown.bars.filter(bar => bar.ttft_ms !== null).map(bar => bar.ttft_ms).sort((a, b) => a - b);
  tell(at("total-first"), firsts.length ? seconds(firsts[Math.floor((firsts.length - 1) / 2)]) : "–");
  tell(at("total-tokens"), count(sum(shown.bars, "fresh") + sum(shown.bars, "cached") + sum(shown.bars, "output")));
}

function sentence(shown, place) {
  if (place === null) {
    return shown.bars.length ? `${many(sum(shown.bars, "requests"), "request")} in the last ${NAMES[chosen]}, ${count(sum(shown.bars, "errors"))} failed. Point at a bar for its numbers.`
      : `No request has ended in the last ${NAMES[chosen]}. The bars will stand here.`;
  }
  const told = chosen === 86400 ? weekday : shown.step < 60 ? moment : clock;
  const when = told(shown.from + place * shown.step);
  const bar = shown.bars.find(each => each.place === place);
  if (!bar) return `${when}: nothing ended.`;
  return `${when}: ${many(bar.requests, "request")}${bar.errors ? `, ${count(bar.errors)} failed` : ""} · first token ${seconds(bar.ttft_ms)} · ${count(bar.fresh)} new, ${count(bar.cached)} cached and ${count(bar.output)} output tokens`;
}

function read() {
  const shown = range();
  if (!shown) return;
  for (const chart of Object.values(charts)) chart.mark(pointed);
  tell(at("readout"), sentence(shown, pointed));
  slider.setAttribute("aria-valuetext", sentence(shown, pointed ?? shown.count - 1));
}

function point(place) {
  const shown = range();
  if (!shown) return;
  pointed = place === null ? null : Math.min(shown.count - 1, Math.max(0, place));
  if (pointed !== null) slider.value = pointed;
  read();
}

function show() {
  const shown = range();
  if (!shown) return;
  slider.max = shown.count - 1;
  for (const chart of Object.values(charts)) chart.draw(shown);
  total(shown);
  read();
}

export function showCharts(told) {
  ranges = told;
  show();
}

for (const chart of Object.values(charts)) {
  chart.box.addEventListener("pointermove", event => point(chart.placeAt(event.clientX - chart.box.getBoundingClientRect().left)));
  chart.box.addEventListener("pointerleave", () => point(null));
}
slider.addEventListener("input", () => point(Number(slider.value)));
slider.addEventListener("focus", () => point(Number(slider.value)));
slider.addEventListener("blur", () => point(null));
for (const radio of document.querySelectorAll("[name=range]")) {
  radio.addEventListener("change", () => { chosen = Number(radio.value); pointed = null; show(); });
}
new ResizeObserver(show).observe(at("charts"));
