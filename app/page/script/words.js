// Numbers and moments as people read them.

const time = options => new Intl.DateTimeFormat([], options);
const CLOCK = time({hour: "2-digit", minute: "2-digit", hourCycle: "h23"});
const EXACT = time({hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23"});
const DAY = time({weekday: "short", hour: "2-digit", minute: "2-digit", hourCycle: "h23"});

let skew = 0; // seconds that the server's clock is ahead of ours

export const follow = unix => { skew = unix - Date.now() / 1000; };
export const now = () => Date.now() / 1000 + skew;

export const clock = unix => CLOCK.format(unix * 1000);
export const moment = unix => EXACT.format(unix * 1000);
export const weekday = unix => DAY.format(unix * 1000);

export const seconds = ms => ms === null || ms === undefined ? "–" : `${(ms / 1000).toFixed(ms < 10000 ? 2 : ms < 100000 ? 1 : 0)} s`;
export const count = number => number.toLocaleString("en", number < 10000 ? {} : {notation: "compact", maximumSignificantDigits: 3});
export const dollars = number => `$${number.toLocaleString("en", {minimumFractionDigits: 2, maximumFractionDigits: 2})}`;
export const many = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

export function span(left) {
  const minutes = Math.max(0, Math.round(left / 60));
  if (minutes >= 2880) return `${Math.round(minutes / 1440)} days`;
  if (minutes >= 600) return `${Math.round(minutes / 60)} h`;
  return minutes >= 60 ? `${Math.floor(minutes / 60)} h ${minutes % 60} min` : `${minutes} min`;
}
