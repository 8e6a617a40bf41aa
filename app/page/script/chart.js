// One chart of bars in SVG, each bar a stack of layers. Colours are the style sheet's.

import {draw} from "./dom.js";
import {clock, weekday} from "./words.js";

const HEIGHT = 132, LEFT = 44, TOP = 8, BOTTOM = 22, GAP = 1;
const DAY = 86400;

// The next number above that can be halved.
function round(number) {
  const size = 10 ** Math.floor(Math.log10(number));
  return [1, 2, 4, 6, 10].map(step => step * size).find(step => step >= number);
}

export class Chart {
  // `layers` give a bar's numbers from the bottom up, by class; `least` is what the axis shows at least.
  constructor(box, {layers, format, least}) {
    Object.assign(this, {box, layers, format, least, width: 0});
  }

  draw({step, count, from, bars}) {
    this.width = Math.max(200, this.box.clientWidth);
    this.step = (this.width - LEFT) / count;
    const floor = HEIGHT - BOTTOM, rise = floor - TOP;
    const most = round(Math.max(this.least, ...bars.map(bar => this.layers.reduce((sum, {of}) => sum + (of(bar) ?? 0), 0))));
    const picture = draw("svg", {viewBox: `0 0 ${this.width} ${HEIGHT}`, width: this.width, height: HEIGHT, "aria-hidden": "true"});
    for (const part of [0, .5, 1]) {
      const y = Math.round(floor - part * rise) + .5;
      picture.append(draw("line", {x1: LEFT, x2: this.width, y1: y, y2: y, class: part ? "grid" : "axis"}));
      picture.append(draw("text", {x: LEFT - 6, y: y + 4, "text-anchor": "end", text: this.format(part * most)}));
    }
    this.cursor = draw("rect", {class: "cursor", x: 0, y: TOP, width: this.step, height: rise, visibility: "hidden"});
    picture.append(this.cursor);
    for (const bar of bars) {
      let low = floor;
      for (const {name, of} of this.layers) {
        const number = of(bar) ?? 0;
        if (!number) continue;
        // The smallest number is seen, too.
        const tall = Math.max(2, number / most * rise);
        picture.append(draw("rect", {class: name, x: LEFT + bar.place * this.step + GAP / 2, y: low - tall, width: Math.max(1.5, this.step - GAP), height: tall}));
        low -= tall;
      }
    }
    const told = step * count >= DAY ? weekday : clock;
    for (const [part, anchor] of [[0, "start"], [.5, "middle"], [1, "end"]]) {
      const text = part === 1 ? "now" : told(from + part * step * count);
      picture.append(draw("text", {x: LEFT + part * (this.width - LEFT), y: HEIGHT - 6, "text-anchor": anchor, text}));
    }
    this.box.replaceChildren(picture);
  }

  // The bar under a pointer, by its distance from the chart's left edge.
  placeAt(x) {
    return Math.floor((x * this.width / this.box.clientWidth - LEFT) / this.step);
  }

  mark(place) {
    this.cursor?.setAttribute("visibility", place === null ? "hidden" : "visible");
    if (place !== null) this.cursor?.setAttribute("x", LEFT + place * this.step);
  }
}
