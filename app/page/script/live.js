// The server's news. It is `live`, `paused` while nobody sees the page, `lost` for a moment, `gone`, or `refused`.

// A browser opens six connections to a server, all tabs together, and keeps those of pages that were left for a
// while: only a page that can be seen holds one.
const LOST_MS = 3000, SILENT_MS = 25000, AGAIN_MS = 3000;

let source = null, timer = null, state = "lost";
let listeners = {};

function become(next) {
  if (next === state) return;
  state = next;
  listeners.became(next);
}

function after(ms, act) {
  clearTimeout(timer);
  timer = setTimeout(act, ms);
}

function hear(event) {
  become("live");
  // A server that stands still says nothing, not even goodbye.
  after(SILENT_MS, () => { become("gone"); open(); });
  listeners.told(JSON.parse(event.data));
}

async function lose(event) {
  const over = event.target.readyState === EventSource.CLOSED;
  if (!over) {
    // The browser tries again by itself.
    if (state === "live") { become("lost"); after(LOST_MS, () => become("gone")); }
    return;
  }
  after(AGAIN_MS, open);
  const answers = await fetch(new URL("/health", location.origin)).then(response => response.ok, () => false);
  if (source === event.target) become(answers ? "refused" : "gone");
}

function open() {
  close();
  source = new EventSource(new URL("/events", location.origin));
  source.onmessage = hear;
  source.onerror = lose;
  if (state !== "gone" && state !== "refused") after(LOST_MS, () => become("gone"));
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function look() {
  const seen = document.visibilityState === "visible";
  if (seen === (source !== null)) return;
  if (seen) { become("lost"); open(); }
  else { close(); become("paused"); }
}

// `told` gets each piece of news, `became` each state.
export function listen(told, became) {
  listeners = {told, became};
  document.addEventListener("visibilitychange", look);
  addEventListener("pageshow", look);
  addEventListener("pagehide", () => { close(); become("paused"); });
  look();
}
