// What was used, today and in the last 30 days, by key and by model, and what that is worth.

import {at, make, pairs} from "./dom.js";
import {showLeft} from "./plan.js";
import {count, dollars} from "./words.js";

const fresh = sum => sum.input_tokens + sum.cache_write_tokens;
const COLUMNS = {
  Requests: sum => count(sum.requests),
  New: sum => count(fresh(sum)),
  Cached: sum => count(sum.cache_read_tokens),
  Output: sum => count(sum.output_tokens),
  "List price": sum => dollars(sum.dollars),
};
function usedBy(title, sums, unnamed) {
  const head = [title, ...Object.keys(COLUMNS)].map(name => make("th", {text: name, scope: "col"}));
  const rows = sums.map(sum => make("tr", {},
    make("th", {text: sum.name || unnamed, scope: "row"}),
    ...Object.values(COLUMNS).map(of => make("td", {text: of(sum)}))));
  return make("table", {class: "used"}, make("thead", {}, make("tr", {}, ...head)), make("tbody", {}, ...rows));
}

function periodOf({name, total, keys, models}) {
  const input = fresh(total) + total.cache_read_tokens;
  const cached = input ? Math.round(100 * total.cache_read_tokens / input) : 0;
  const unpriced = total.unpriced ? `, ${count(total.unpriced)} unpriced` : "";
  const failed = total.failed ? `, ${count(total.failed)} failed` : "";
  const box = make("div", {class: "period"}, make("h3", {text: name}), make("dl", {class: "sums"}, ...pairs([
    [`at list price${unpriced}`, dollars(total.dollars)],
    [`request${total.requests === 1 ? "" : "s"}${failed}`, count(total.requests)],
    [`tokens in, ${cached} % of them cached`, count(input)],
    ["tokens out", count(total.output_tokens)],
  ])));
  if (total.requests) box.append(usedBy("Key", keys, "no key"), usedBy("Model", models, "no answer"));
  return box;
}

export function showUse({periods, plan, flat_dollars: flat, left}) {
  const month = periods.at(-1)?.total;
  const used = Boolean(month?.requests);
  at("unused").hidden = used;
  at("use").replaceChildren(...(used ? periods.map(periodOf) : []));
  at("worth").hidden = !(flat.length && used);
  if (flat.length && used) {
    const name = plan[0].toUpperCase() + plan.slice(1);
    at("worth").textContent = `The last 30 days would have cost ${dollars(month.dollars)} at list price. The plan (${name}) costs ${flat.map(price => `$${price}`).join(" or ")} a month${flat.length > 1 ? ", by its size" : ""}, US list price.`;
  }
  showLeft(left);
}
