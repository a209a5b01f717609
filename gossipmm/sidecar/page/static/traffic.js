// Bytes per second, drawn as two lines: small enough to need no library.

import { byId, bytes, make, say, span } from "./dom.js";

/** Points kept, and the least that the width stands for: 3 min and 30 s at one in two seconds. */
const MOST = 90;
const LEAST = 15;
const WIDTH = 300;
const HEIGHT = 56;
const SVG = "http://www.w3.org/2000/svg";

const rates = [];
let last = null;

/** Take the counters of GET /v1/status. */
export function show(traffic) {
  const now = { at: performance.now() / 1000, ...traffic };
  const before = last;
  last = now;
  if (!before || now.sent_bytes < before.sent_bytes || now.received_bytes < before.received_bytes) {
    rates.length = 0; // the first answer, or another life of the agent
    return;
  }
  const seconds = now.at - before.at;
  if (seconds < 0.2) return;
  const rate = (name) => (now[name] - before[name]) / seconds;
  rates.push({ in: rate("received_bytes"), out: rate("sent_bytes"), seconds, datagrams: rate("received_datagrams") + rate("sent_datagrams") });
  if (rates.length > MOST) rates.shift();
  draw(traffic);
}

function draw(traffic) {
  const current = rates.at(-1);
  const most = ceiling(Math.max(...rates.flatMap((rate) => [rate.in, rate.out])));
  say(byId("rate-in"), `${bytes(current.in)}/s`);
  say(byId("rate-out"), `${bytes(current.out)}/s`);
  const refused = Object.values(traffic.dropped).reduce((sum, count) => sum + count, 0);
  const parts = [
    `${current.datagrams.toFixed(1)} datagrams/s`,
    traffic.rtt && `round trip ${(traffic.rtt * 1000).toFixed(1)} ms`,
    traffic.loss >= 0.0005 && `loss ${(traffic.loss * 100).toFixed(1)} %`,
    refused && `${refused} refused`,
  ];
  say(byId("traffic-note"), parts.filter(Boolean).join(" · "));
  const past = span(rates.reduce((sum, rate) => sum + rate.seconds, 0) * (Math.max(rates.length, LEAST) / rates.length));
  const chart = byId("chart");
  chart.setAttribute("aria-label", `Bytes per second over ${past}, at most ${bytes(most)}: now ${bytes(current.in)} in, ${bytes(current.out)} out`);
  chart.replaceChildren(picture(most), make("span", { class: "most" }, `${bytes(most)}/s`), make("span", { class: "past" }, `${past} ago`));
}

function picture(most) {
  const steps = Math.max(rates.length, LEAST) - 1;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.setAttribute("preserveAspectRatio", "none");
  line(svg, "base", `M0 ${HEIGHT}H${WIDTH}M0 0H${WIDTH}`);
  for (const way of ["in", "out"]) {
    const points = rates.map((rate, place) => {
      const x = WIDTH - ((rates.length - 1 - place) * WIDTH) / steps;
      return `${x.toFixed(1)} ${(HEIGHT * (1 - rate[way] / most)).toFixed(1)}`;
    });
    if (way === "in") line(svg, "under", `M${points.join("L")}V${HEIGHT}H${points[0].split(" ")[0]}Z`);
    line(svg, way, `M${points.join("L")}`);
  }
  return svg;
}

function line(svg, kind, path) {
  const element = document.createElementNS(SVG, "path");
  element.setAttribute("class", kind);
  element.setAttribute("d", path);
  svg.append(element);
}

/** The next of 1, 2, 5, 10, ... that is enough. */
function ceiling(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 100)));
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= most);
}
