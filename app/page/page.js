"use strict";
// Everything from the server is put in as text, never as markup.

const at = id => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
let known = {};
let skew = 0; // seconds that the server's clock is ahead of ours

function filled(element, text, attributes) {
  if (text !== undefined) element.textContent = text;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

const make = (name, text, attributes = {}) => filled(document.createElement(name), text, attributes);
const draw = (name, attributes, text) => filled(document.createElementNS(SVG, name), text, attributes);

const now = () => Date.now() / 1000 + skew;
const seconds = ms => ms === null || ms === undefined ? "–" : `${(ms / 1000).toFixed(ms < 10000 ? 2 : 0)} s`;
const clock = unix => new Date(unix * 1000).toLocaleTimeString([], {hour: "2-digit", minute: "2-digit"});

function span(left) {
  const minutes = Math.max(0, Math.round(left / 60));
  if (minutes >= 2880) return `${Math.round(minutes / 1440)} days`;
  if (minutes >= 600) return `${Math.round(minutes / 60)} h`;
  return minutes >= 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes} min`;
}

function showState(state) {
  const ready = state.reason === null;
  const word = ready ? "Ready" : "Not ready";
  document.title = `${word} · claude-max-api-proxy`;
  at("verdict").textContent = word;
  at("verdict").className = ready ? "good" : "bad";
  at("reason").textContent = state.reason ?? "";
  for (const name of ["notice", "limited"]) {
    at(name).textContent = state[name] ?? "";
    at(name).hidden = state[name] === null;
  }
  at("counts").replaceChildren(...state.counts.map(([name, text]) => {
    const pair = make("div");
    pair.append(make("dt", name), make("dd", text));
    return pair;
  }));
}

function windowName(name) {
  const [, days, rest] = /^(five_hour|seven_day)_?(.*)$/.exec(name) ?? [null, null, name];
  const length = {five_hour: "5 hours", seven_day: "7 days"}[days];
  return [length, rest.replaceAll("_", " ")].filter(Boolean).join(", ");
}

function showPlan(plan) {
  const names = Object.keys(plan.windows).sort();
  at("unknown").hidden = names.length > 0;
  at("plan").replaceChildren(...names.map(name => {
    const {used_percent: used, resets_at: resets, status} = plan.windows[name];
    const box = make("div", undefined, {class: "window"});
    const line = make("p");
    const reset = resets === null ? "" : `resets ${new Date(resets * 1000).toLocaleString([], {weekday: "short", hour: "2-digit", minute: "2-digit"})}, in ${span(resets - now())}`;
    line.append(make("span", `${windowName(name)}: ${used === null ? status ?? "unknown" : `${Math.round(used)} % used`}`), make("span", reset, {class: "dim"}));
    box.append(line);
    if (used !== null) {
      const bar = make("progress", undefined, {max: 100, value: Math.min(100, used), "aria-label": `${windowName(name)}, used`});
      bar.className = used >= 90 ? "full" : "";
      box.append(bar);
    }
    return box;
  }));
}

function showChart(minutes) {
  const width = Math.max(240, at("chart").clientWidth), height = 150, left = 30, right = 44, top = 8, bottom = 20;
  const inner = width - left - right, floor = height - bottom, rise = floor - top;
  const most = Math.max(4, ...minutes.map(minute => minute.requests));
  const slowest = Math.max(1000, ...minutes.map(minute => minute.ttft_ms ?? 0));
  const step = inner / minutes.length;
  const picture = draw("svg", {viewBox: `0 0 ${width} ${height}`, height, role: "img"});
  const total = minutes.reduce((sum, minute) => sum + minute.requests, 0);
  const errors = minutes.reduce((sum, minute) => sum + minute.errors, 0);
  const summary = `${total} request${total === 1 ? "" : "s"} in the last hour, ${errors} failed.`;
  picture.setAttribute("aria-label", `Requests a minute and time to first token. ${summary}`);
  for (const [part, label, value] of [[0, "0", "0 s"], [1, String(most), seconds(slowest)]]) {
    const y = floor - part * rise;
    picture.append(draw("line", {x1: left, x2: width - right, y1: y, y2: y}));
    picture.append(draw("text", {x: left - 6, y: y + 4, "text-anchor": "end"}, label));
    picture.append(draw("text", {x: width - right + 6, y: y + 4}, value));
  }
  const points = [];
  minutes.forEach((minute, place) => {
    const tall = minute.requests / most * rise;
    if (tall) picture.append(draw("rect", {x: left + place * step + .5, y: floor - tall, width: Math.max(1, step - 1), height: tall}));
    if (minute.ttft_ms !== null) points.push([left + (place + .5) * step, floor - minute.ttft_ms / slowest * rise]);
  });
  picture.append(draw("polyline", {points: points.map(point => point.join(",")).join(" ")}));
  for (const [cx, cy] of points) picture.append(draw("circle", {cx, cy, r: 3}));
  for (const [place, anchor] of [[0, "start"], [30, "middle"], [59, "end"]]) {
    picture.append(draw("text", {x: left + (place + .5) * step, y: height - 4, "text-anchor": anchor}, clock(minutes[place].at)));
  }
  at("chart").replaceChildren(picture);
  at("summary").textContent = summary;
}

function tokens(turn) {
  const cached = turn.cache_read_tokens;
  const input = turn.input_tokens + cached + turn.cache_write_tokens;
  if (!input && !turn.output_tokens) return "–";
  return `${input} in${cached ? ` (${cached} cached)` : ""}, ${turn.output_tokens} out`;
}

function showRequests(turns) {
  if (!turns.length) return;
  at("requests").replaceChildren(...turns.map(turn => {
    const left = turn.code === "client_gone";
    const state = turn.running ? "running" : left ? "client left" : `${turn.status} ${turn.code ?? ""}`;
    const kind = turn.running ? "warn" : left ? "dim" : turn.code ? "bad" : "good";
    const ms = turn.running ? Math.max(0, now() - turn.at) * 1000 : turn.ms;
    const cells = [
      ["Time", new Date(turn.at * 1000).toLocaleTimeString()], ["Status", state, kind], ["Model", turn.model ?? "–"],
      ["Key", turn.key ?? "–"], ["Served", turn.served ?? "–"], ["Tokens", turn.running ? "–" : tokens(turn)],
      ["First token", seconds(turn.ttft_ms)], ["Duration", seconds(ms)],
    ];
    const row = make("tr");
    row.append(...cells.map(([name, text, kind]) => make("td", text, {"data-name": name, class: kind ?? (text === "–" ? "none" : "")})));
    return row;
  }));
}

const SHOW = {state: showState, plan: showPlan, minutes: showChart, turns: showRequests};

function show(news) {
  skew = news.now - Date.now() / 1000;
  for (const [name, value] of Object.entries(news)) if (SHOW[name]) SHOW[name](known[name] = value);
}

// A browser opens six connections to a server, all tabs together, and keeps those of pages that were left for a
// while: only a page that can be seen holds one.
let source = null;

function listen() {
  const wanted = document.visibilityState === "visible";
  if (wanted === (source !== null)) return;
  if (!wanted) return hush();
  source = new EventSource(new URL("/events", location.origin));
  source.onmessage = event => { at("live").textContent = "live"; show(JSON.parse(event.data)); };
  source.onerror = event => {
    const over = event.target.readyState === EventSource.CLOSED;
    at("live").textContent = over ? "not live: too many pages are open, or the key is no longer good" : "not connected, trying again";
  };
}

function hush() {
  source?.close();
  source = null;
  at("live").textContent = "paused";
}

// The chat

const talk = [];
let running = null;

function say(role, text) {
  const line = make("p", text, {class: role});
  at("talk").hidden = false;
  at("talk").append(line);
  return line;
}

async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    text += part.value;
    const lines = text.split("\n");
    text = lines.pop();
    for (const line of lines) if (line.startsWith("data: ") && line !== "data: [DONE]") yield JSON.parse(line.slice(6));
  }
}

async function answer(line, signal) {
  const body = {model: at("model").value, messages: talk, stream: true, stream_options: {include_usage: true}};
  const response = await fetch(new URL("/v1/chat/completions", location.origin), {
    method: "POST", body: JSON.stringify(body), headers: {"Content-Type": "application/json"}, signal,
  });
  if (!response.ok) throw new Error((await response.json()).error.message);
  for await (const event of events(response.body)) {
    if (event.error) throw new Error(event.error.message);
    line.textContent += event.choices[0]?.delta?.content ?? "";
    at("talk").scrollTop = at("talk").scrollHeight;
    if (event.usage) at("told").textContent = `${event.usage.prompt_tokens} tokens in, ${event.usage.completion_tokens} out`;
  }
}

async function ask(event) {
  event.preventDefault();
  if (running) return;
  running = new AbortController();
  const question = at("question").value;
  talk.push({role: "user", content: question});
  say("user", question);
  const line = say("assistant", "");
  at("question").value = "";
  at("send").disabled = true;
  at("stop").disabled = false;
  at("told").textContent = "";
  try {
    await answer(line, running.signal);
  } catch (error) {
    at("told").textContent = error.name === "AbortError" ? "Stopped." : error.message;
  }
  // What was not answered is not asked again.
  if (line.textContent) talk.push({role: "assistant", content: line.textContent});
  else { talk.pop(); line.remove(); }
  running = null;
  at("send").disabled = false;
  at("stop").disabled = true;
}

async function copy(button) {
  const text = at(button.dataset.of);
  try {
    await navigator.clipboard.writeText(text.textContent);
    button.textContent = "Copied";
  } catch {
    // Only a page that came over TLS or from this machine may write to the clipboard.
    getSelection().selectAllChildren(text);
    button.textContent = "Selected";
  }
}

at("chat").addEventListener("submit", ask);
at("question").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); at("chat").requestSubmit(); }
});
at("stop").addEventListener("click", () => running?.abort());
at("anew").addEventListener("click", () => {
  running?.abort();
  talk.length = 0;
  at("talk").replaceChildren();
  at("talk").hidden = true;
});
for (const button of document.querySelectorAll(".copy")) button.addEventListener("click", () => copy(button));
addEventListener("resize", () => known.minutes && showChart(known.minutes));
setInterval(() => { if (known.turns?.some(turn => turn.running)) showRequests(known.turns); }, 500);
setInterval(() => known.plan && showPlan(known.plan), 30000);
document.addEventListener("visibilitychange", listen);
addEventListener("pageshow", listen);
addEventListener("pagehide", () => { hush(); running?.abort(); });
listen();
