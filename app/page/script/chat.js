// A small chat, to try the server out. It is kept in the tab until it is started over.

import {at, make, spoken, tell} from "./dom.js";
import {ask} from "./stream.js";
import {many} from "./words.js";

const KEPT = "chat", MAX_PICTURE = 4 * 2 ** 20;
const PICTURES = /^image\/(png|jpeg|gif|webp)$/;

// Each message has `role` and `text`, perhaps `thinking`, a `picture` or an `error`; what is `left` is not asked again.
let talk = [], picture = null, running = null, gone = false, markdown = null;

// Markdown is needed from the first answer on.
async function rendered(text) {
  try {
    markdown ??= await import("./markdown.js");
    return markdown.render(text);
  } catch {
    return document.createTextNode(text); // the server went before it could be fetched
  }
}

function content({text, picture: url}) {
  return url ? [{type: "image_url", image_url: {url}}, {type: "text", text}] : text;
}

function keep() {
  const put = talk => sessionStorage.setItem(KEPT, JSON.stringify(talk));
  try {
    put(talk);
  } catch {
    // Pictures are large; a talk goes on without them.
    try { put(talk.map(({picture: _, ...message}) => message)); } catch { sessionStorage.removeItem(KEPT); }
  }
}

// An element for a message, which `fill` shows anew as it grows.
function bubble(message) {
  const words = make("div", {class: "words"}), thoughts = make("p");
  const thinking = make("details", {class: "thinking"}, make("summary", {text: "Thinking"}), thoughts);
  const element = make("div", {class: `message ${message.role}`}, spoken(message.role === "user" ? "You:" : "Claude:"));
  if (message.picture) element.append(make("img", {src: message.picture, alt: "The picture of this question"}));
  if (message.role === "user") words.textContent = message.text;
  else element.append(thinking);
  element.append(words);
  const fill = async () => {
    thinking.hidden = !message.thinking;
    tell(thoughts, message.thinking ?? "");
    if (message.role !== "user") words.replaceChildren(await rendered(message.text));
    element.querySelector(".failed")?.remove();
    if (message.error) element.append(make("p", {class: "failed", text: message.error}));
  };
  return {element, fill};
}

async function add(message) {
  const {element, fill} = bubble(message);
  at("talk").hidden = false;
  at("anew").hidden = false;
  at("talk").append(element);
  await fill();
  at("talk").scrollTop = at("talk").scrollHeight;
  return fill;
}

async function answer(message, fill, signal) {
  const messages = talk.filter(each => !each.left && each !== message).map(each => ({role: each.role, content: content(each)}));
  let due = false;
  const show = () => {
    if (due) return;
    due = true;
    requestAnimationFrame(async () => {
      due = false;
      const box = at("talk"), low = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
      await fill();
      if (low) box.scrollTop = box.scrollHeight;
    });
  };
  const effort = at("think").checked ? {reasoning_effort: "medium"} : {};
  for await (const chunk of ask({model: at("model").value, messages, ...effort}, signal)) {
    const delta = chunk.choices[0]?.delta ?? {};
    message.thinking = (message.thinking ?? "") + (delta.reasoning_content ?? "");
    message.text += delta.content ?? "";
    show();
    if (chunk.usage) tell(at("told"), `${many(chunk.usage.prompt_tokens, "token")} in, ${chunk.usage.completion_tokens} out`);
  }
}

function update() {
  at("send").hidden = Boolean(running);
  at("stop").hidden = !running;
  at("send").disabled = gone;
  at("chat-gone").hidden = !gone;
  at("picture").hidden = !picture;
}

async function send(event) {
  event.preventDefault();
  const text = at("question").value.trim();
  if (running || gone || !text) return;
  const focused = document.activeElement === at("send");
  const question = {role: "user", text, ...(picture ? {picture} : {})}, message = {role: "assistant", text: ""};
  picture = null;
  running = new AbortController();
  const {signal} = running;
  update();
  if (focused) at("stop").focus();
  at("question").value = "";
  tell(at("told"), "");
  talk.push(question);
  await add(question);
  talk.push(message);
  const fill = await add(message);
  try {
    await answer(message, fill, signal);
  } catch (error) {
    if (error.name === "AbortError") tell(at("told"), "Stopped.");
    else message.error = error.message;
  }
  if (!message.text) {
    question.left = message.left = true;
    message.error ??= "Not answered.";
  }
  await fill();
  at("talk").scrollTop = at("talk").scrollHeight;
  keep();
  const stopped = document.activeElement === at("stop");
  running = null;
  update();
  if (stopped) at("send").focus();
}

function paste(event) {
  const file = [...event.clipboardData.files].find(each => PICTURES.test(each.type));
  if (!file) return;
  event.preventDefault();
  if (file.size > MAX_PICTURE) return tell(at("told"), "This picture is too large for a try; 4 MB are taken.");
  const reader = new FileReader();
  reader.addEventListener("load", () => {
    picture = reader.result;
    at("picture").querySelector("img").src = picture;
    update();
  });
  reader.readAsDataURL(file);
}

function anew() {
  running?.abort();
  talk = [];
  at("talk").replaceChildren();
  at("talk").hidden = at("anew").hidden = true;
  tell(at("told"), "");
  sessionStorage.removeItem(KEPT);
  at("question").focus();
}

async function restore() {
  try {
    talk = JSON.parse(sessionStorage.getItem(KEPT)) ?? [];
  } catch {
    talk = [];
  }
  for (const message of talk) await add(message);
}

// The server can be reached, or not.
export function showReach(state) {
  gone = state === "gone";
  update();
}

at("chat").addEventListener("submit", send);
at("question").addEventListener("keydown", event => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); at("chat").requestSubmit(); }
});
at("question").addEventListener("paste", paste);
at("drop").addEventListener("click", () => { picture = null; update(); at("question").focus(); });
at("stop").addEventListener("click", () => running?.abort());
at("anew").addEventListener("click", anew);
addEventListener("pagehide", () => running?.abort());
restore();
