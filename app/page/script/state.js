// Whether the server can answer, and who pays: the page's title, its heading and the notices below it.

import {at, make, marked, tell} from "./dom.js";
import {moment} from "./words.js";

const NAME = "claude-max-api-proxy";
const LIVE = {live: "live", paused: "paused", lost: "connecting", gone: "trying again", refused: "not live"};

let link = "lost", known = null;

function notice(name, text) {
  const element = at(name);
  element.hidden = !text;
  if (text && element.dataset.text !== text) {
    element.dataset.text = text;
    element.replaceChildren(...marked(text));
  }
}

function showVerdict() {
  const gone = link === "gone";
  const word = gone ? "Not reachable" : known ? (known.ready ? "Ready" : "Not ready") : at("verdict").textContent;
  document.body.classList.toggle("gone", gone);
  at("state").className = `card ${gone || word !== "Ready" ? "bad" : known?.limited || known?.extra ? "warned" : "good"}`;
  tell(at("verdict"), word);
  // A page that is not seen does not know.
  const title = link === "paused" ? NAME : `${word} · ${NAME}`;
  document.title = at("demo") ? `Demo · ${title}` : title;
  if (known) tell(at("running"), gone ? "What follows is what it last said." : known.running);
  if (known) tell(at("payer"), known.payer);
  at("gone").hidden = !gone;
  at("refused").hidden = link !== "refused";
}

export function showLink(state) {
  link = state;
  tell(at("live"), LIVE[state]);
  at("live").dataset.state = state;
  showVerdict();
}

export function showState(state) {
  known = state;
  showVerdict();
  at("login").hidden = !state.needs_login;
  notice("reason", state.needs_login ? null : state.reason);
  for (const name of ["notice", "limited", "extra"]) notice(name, state[name]);
  at("resuming").hidden = !state.resumable;
  at("processes").replaceChildren(...state.processes.map(([name, text, meaning]) =>
    make("div", {}, make("dt", {text: name}), make("dd", {}, make("strong", {text}), make("span", {text: meaning, class: "dim"})))));
  showError(state.last_error);
}

function showError(error) {
  at("last-error").hidden = !error;
  if (!error) return;
  const facts = [moment(error.at), error.route, error.model, error.code].filter(Boolean).join(" · ");
  at("last-error").replaceChildren(make("strong", {text: "Last error"}), make("span", {text: facts, class: "facts"}),
    make("span", {class: "words"}, ...marked(error.message ?? "")));
}

async function resume() {
  const response = await fetch(new URL("/resume", location.origin), {method: "POST"});
  at("resumed").textContent = response.ok ? "Accepted." : (await response.json()).error.message;
}

at("resume").addEventListener("click", resume);
