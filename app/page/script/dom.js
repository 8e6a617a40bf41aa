// Making elements. What comes from the server is put in as text, never as markup.

const SVG = "http://www.w3.org/2000/svg";

export const at = id => document.getElementById(id);

function filled(element, {text, ...attributes}, children) {
  if (text !== undefined) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

export const make = (name, attributes = {}, ...children) => filled(document.createElement(name), attributes, children);
export const draw = (name, attributes = {}, ...children) => filled(document.createElementNS(SVG, name), attributes, children);

// Words for those who hear the page.
export const spoken = text => make("span", {text, class: "spoken"});

// Sets a text only where it is another: what a person has selected stays so.
export function tell(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// What stands between backticks is code.
export function marked(text) {
  return text.split("`").map((part, place) => place % 2 ? make("code", {text: part}) : document.createTextNode(part));
}

// Texts and their names, as a list of pairs.
export function pairs(entries) {
  return entries.map(([name, text]) => make("div", {}, make("dt", {text: name}), make("dd", {text})));
}
