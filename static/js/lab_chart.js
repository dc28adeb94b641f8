// Figures of the Lab: lines that may have different steps, drawn together, with a legend in words.
import uPlot from "../vendor/uPlot.esm.js";
import { chainColour, token } from "./palette.js";

const HEIGHT = 240;

function axis(label, extra = {}) {
  const font = `11px ${token("sans")}`;
  return { label, stroke: token("ink-3"), ticks: { show: false }, font, labelFont: font, labelSize: 16, grid: { stroke: token("line"), width: 1 }, ...extra };
}

// On a logarithmic axis: whole powers of ten alone, or 1, 2 and 5 of them where the axis is short.
function powers(_, ticks) {
  const isLong = ticks.at(-1) / ticks[0] > 50;
  const steps = isLong ? ["1"] : ["1", "2", "5"];
  return ticks.map((tick) => (steps.includes(tick.toExponential(0).split("e")[0]) ? tick : null));
}

// The same set, lighter where its dark ones would sink into a dark ground.
const IN_THE_DARK = ["#56b4e9", "#e69f00", "#3fc79a", "#e39cc5", "#9db8ff", "#ff8a4c", "#d8cb3c"];

// Lines of one label share a colour: the older turns of an application are faint behind the newest.
function colours(lines) {
  const labels = [...new Set(lines.map(({ label }) => label))];
  const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
  const colour = isDark ? (index) => IN_THE_DARK[index % IN_THE_DARK.length] : chainColour;
  return (line) => colour(labels.indexOf(line.label));
}

// A logarithm has no zero, and a line of many points needs no marks.
function table({ x, y }, isLog) {
  return [x, isLog ? y.map((value) => (value > 0 ? value : null)) : y];
}

function swatch(colour, dashed) {
  const key = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  key.setAttribute("viewBox", "0 0 22 8");
  key.setAttribute("aria-hidden", "true");
  const line = document.createElementNS("http://www.w3.org/2000/svg", "path");
  line.setAttribute("d", "M1 4h20");
  line.style.stroke = colour;
  if (dashed) line.style.strokeDasharray = "5 3";
  key.append(line);
  return key;
}

export class Figure {
  constructor(element) {
    this.element = element;
    this.title = Object.assign(document.createElement("h2"), { id: `title-${element.id}` });
    this.legend = Object.assign(document.createElement("ul"), { className: "legend" });
    this.host = Object.assign(document.createElement("div"), { className: "plot" });
    element.setAttribute("aria-labelledby", this.title.id);
    element.append(this.title, this.legend, this.host);
    document.addEventListener("themechange", () => this.draw());
    new ResizeObserver(() => this.resize()).observe(this.host);
  }

  resize() {
    const width = this.host.clientWidth;
    if (this.chart && width && width !== this.chart.width) this.chart.setSize({ width, height: HEIGHT });
  }

  // Redraws when lines came or went; otherwise only their points change.
  show(figure) {
    const shape = JSON.stringify(figure.lines.map(({ label, faint }) => [label, faint]));
    const isSame = this.chart && shape === this.shape;
    Object.assign(this, { figure, shape });
    if (isSame) this.chart.setData(this.data());
    else this.draw();
    this.element.dataset.points = Math.max(...figure.lines.map(({ x }) => x.length));
    this.element.dataset.last = this.lastWords();
  }

  data() {
    return uPlot.join(this.figure.lines.map((line) => table(line, this.figure.log)));
  }

  lastWords() {
    const { x, y } = this.figure.lines.at(-1);
    return x.length ? `${x.at(-1)}: ${y.at(-1)}` : "";
  }

  draw() {
    if (!this.figure) return;
    const { title, x, log, lines } = this.figure;
    const colour = colours(lines);
    this.title.textContent = title;
    this.chart?.destroy();
    const series = lines.map((line) => ({
      label: line.label,
      stroke: colour(line),
      alpha: line.faint ? 0.3 : 1,
      width: line.faint ? 1 : 1.8,
      dash: line.dashed ? [6, 4] : [],
      spanGaps: true,
      points: { show: Boolean(this.figure.points) || line.x.length < 3, size: 6 },
    }));
    const options = {
      width: this.host.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: false }, y: log ? { distr: 3 } : {} },
      axes: [axis(x, { size: 28, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000] }), axis("", { size: 58, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : this.tick(tick))) })],
      series: [{}, ...series],
    };
    if (log) Object.assign(options.axes[1], { filter: powers, grid: { ...options.axes[1].grid, filter: powers } });
    this.chart = new uPlot(options, this.data(), this.host);
    this.drawLegend(lines, colour);
  }

  tick(value) {
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(0);
    return String(Number(value.toPrecision(6)));
  }

  drawLegend(lines, colour) {
    const named = lines.filter(({ label, faint }) => label && !faint);
    this.legend.replaceChildren(
      ...named.map((line) => {
        const item = document.createElement("li");
        item.append(swatch(colour(line), line.dashed), line.label);
        return item;
      }),
    );
  }
}

// The figures of a page, each made when it is first needed.
export class Figures {
  constructor(root) {
    this.root = root;
    this.byId = new Map();
  }

  show(figures) {
    for (const figure of figures) {
      if (!this.byId.has(figure.id)) this.byId.set(figure.id, this.make(figure.id));
      this.byId.get(figure.id).show(figure);
    }
    for (const [id, figure] of this.byId) {
      figure.element.hidden = !figures.some((other) => other.id === id);
    }
    this.root.dataset.figures = figures.length;
  }

  make(id) {
    const element = Object.assign(document.createElement("figure"), { className: "card figure", id: `figure-${id}` });
    this.root.append(element);
    return new Figure(element);
  }
}
