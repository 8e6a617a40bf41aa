// The status page: the server's news, each part shown by its own module.

import {showCharts} from "./charts.js";
import {showReach} from "./chat.js";
import "./copy.js";
import {showHosts} from "./hosts.js";
import {listen} from "./live.js";
import {showBudgets, showPlan} from "./plan.js";
import {showRequests} from "./requests.js";
import {showLink, showState} from "./state.js";
import {showUse} from "./usage.js";
import {follow} from "./words.js";

const SHOW = {state: showState, plan: showPlan, usage: showUse, budgets: showBudgets, charts: showCharts, hosts: showHosts, turns: showRequests};

function told({now, ...news}) {
  follow(now);
  for (const [name, value] of Object.entries(news)) SHOW[name]?.(value);
}

listen(told, state => { showLink(state); showReach(state); });
