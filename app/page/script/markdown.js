// An answer's Markdown. Its HTML is shown as the text that it is; what comes out is cleaned all the same.

import {make} from "./dom.js";
import {Marked} from "./marked.js";
import "./purify.js";
import {copy} from "./copy.js";

const escaped = text => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;");
const reader = new Marked({
  renderer: {
    html: ({text}) => escaped(text),
    // The page has headings of its own.
    heading({tokens}) { return `<h4>${this.parser.parseInline(tokens)}</h4>`; },
    // Nothing is fetched from elsewhere.
    image: ({text, href}) => escaped(text || href),
    checkbox: ({checked}) => checked ? "[x] " : "[ ] ",
  },
});
const CLEAN = {
  ALLOWED_TAGS: "p br strong em del code pre ul ol li blockquote h4 table thead tbody tr th td hr a".split(" "),
  ALLOWED_ATTR: ["href", "start", "align"],
  ALLOWED_URI_REGEXP: /^https?:/i,
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
};

// Elements for a text in Markdown.
export function render(text) {
  const found = globalThis.DOMPurify.sanitize(reader.parse(text), CLEAN);
  for (const link of found.querySelectorAll("a")) Object.assign(link, {target: "_blank", rel: "noopener noreferrer"});
  for (const table of found.querySelectorAll("table")) {
    const box = make("div", {class: "scrolls", tabindex: 0, role: "group", "aria-label": "Table"});
    table.replaceWith(box);
    box.append(table);
  }
  for (const code of found.querySelectorAll("pre")) {
    const button = make("button", {type: "button", class: "quiet", text: "Copy"});
    const box = make("div", {class: "code"}, button);
    Object.assign(code, {tabIndex: 0, role: "group", ariaLabel: "Code"});
    code.replaceWith(box);
    box.append(code);
    button.addEventListener("click", () => copy(button, code));
  }
  return found;
}
