// The noise that is left at each diffusion step, one line for each sample, on a logarithmic axis.
import uPlot from "../vendor/uPlot.esm.js";
import { writeKeys } from "./keys.js";
import { chainColour, token } from "./palette.js";

const HEIGHT = 170;

// Only whole powers of ten get a line and a number.
const isPower = (value) => Number.isInteger(Math.log10(value));
const powers = (_, values) => values.map((value) => (isPower(value) ? value : null));
const POWERS = { filter: powers, grid: { filter: powers }, values: (_, values) => values.map((value) => value ?? "") };

function axis(label, extra = {}) {
  return {
    label,
    labelSize: 18,
    size: 40,
    stroke: token("ink-3"),
    ticks: { show: false },
    font: `11px ${token("sans")}`,
    labelFont: `11px ${token("sans")}`,
    ...extra,
    grid: { stroke: token("line"), width: 1, ...extra.grid },
  };
}

export class NoiseChart {
  // `name` says what a frame's sample is called.
  constructor(element, { nSteps, name }) {
    this.element = element;
    this.name = name;
    this.names = new Map();
    this.steps = Array.from({ length: nSteps }, (_, i) => i + 1);
    this.lines = new Map();
    new ResizeObserver(() => this.chart?.setSize({ width: element.clientWidth, height: HEIGHT })).observe(element);
  }

  add(frame) {
    const { seedIndex, sample, step, noiseLevel } = frame;
    const key = `${seedIndex}-${sample}`;
    const isNew = !this.lines.has(key);
    this.names.set(key, this.name(frame));
    if (isNew) this.lines.set(key, this.steps.map(() => null));
    this.lines.get(key)[step - 1] = Math.max(noiseLevel, 1e-3);
    if (isNew || !this.chart) this.draw();
    else this.chart.setData(this.data());
  }

  data() {
    return [this.steps, ...this.lines.values()];
  }

  draw() {
    this.chart?.destroy();
    const series = [...this.lines.keys()].map((key, i) => ({
      label: key,
      stroke: chainColour(i),
      width: 1.5,
      spanGaps: true,
      points: { show: true, size: 4 },
    }));
    const keys = [...this.lines.keys()].map((key, i) => [chainColour(i), this.names.get(key)]);
    writeKeys(document.getElementById("noise-key"), keys);
    const options = {
      width: this.element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      cursor: { show: false },
      scales: { x: { time: false, range: [0, this.steps.length + 1] }, y: { distr: 3 } },
      axes: [axis("Step", { labelSize: 14, size: 30 }), axis("", POWERS)],
      series: [{}, ...series],
    };
    this.chart = new uPlot(options, this.data(), this.element);
  }
}
