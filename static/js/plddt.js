// pLDDT along the sequence, with the bands of confidence behind it; dragging selects residues.
import uPlot from "../vendor/uPlot.esm.js";
import { SCALES, token } from "./palette.js";

const HEIGHT = 210;
const EDGES = [90, 70, 50, 0];

function axis(extra) {
  const font = `11px ${token("sans")}`;
  return { stroke: token("ink-3"), grid: { show: false }, ticks: { show: false }, font, labelFont: font, labelSize: 16, ...extra };
}

export class PlddtChart {
  constructor(element, selection) {
    Object.assign(this, { element, selection, colouring: "alphafold" });
    selection.addEventListener("select", () => this.chart?.redraw(false));
    selection.addEventListener("hover", () => this.follow());
    new ResizeObserver(() => this.resize()).observe(element);
  }

  load(scene) {
    this.scene = scene;
    this.draw();
  }

  resize() {
    const width = this.element.clientWidth;
    if (this.chart && width && width !== this.chart.width) this.chart.setSize({ width, height: HEIGHT });
  }

  draw() {
    if (!this.scene) return;
    this.chart?.destroy();
    this.chart = new uPlot(this.options(), [this.scene.plddt.map((_, i) => i + 1), this.scene.plddt], this.element);
    this.element.dataset.points = this.scene.count;
  }

  options() {
    const { scene } = this;
    return {
      width: this.element.clientWidth,
      height: HEIGHT,
      legend: { show: false },
      scales: { x: { time: false, range: [0.5, scene.count + 0.5] }, y: { range: [0, 100] } },
      axes: [
        axis({ label: this.axisLabel(), size: 28, values: (_, ticks) => ticks.map((tick) => this.tick(tick)) }),
        axis({ label: "pLDDT", size: 34, splits: () => [0, 50, 70, 90, 100] }),
      ],
      series: [{}, { stroke: token("ink"), width: 1.6, points: { show: scene.count < 60, size: 4, fill: token("ink") } }],
      cursor: { y: false, points: { size: 7 }, drag: { x: true, y: false, setScale: false } },
      hooks: {
        drawClear: [(chart) => this.drawBands(chart)],
        draw: [(chart) => this.drawMarks(chart)],
        setSelect: [(chart) => this.take(chart)],
        setCursor: [(chart) => this.selection.hover(chart.cursor.idx ?? null)],
      },
    };
  }

  axisLabel() {
    return this.scene.atomNames.length ? "Residue or atom" : "Residue";
  }

  // Numbers within the chain where there are several chains.
  tick(value) {
    if (!Number.isInteger(value) || value < 1 || value > this.scene.count) return "";
    return String(this.scene.number(value - 1));
  }

  drawBands(chart) {
    const { ctx, bbox } = chart;
    ctx.save();
    ctx.globalAlpha = 0.22;
    EDGES.forEach((least, i) => {
      const top = chart.valToPos(i ? EDGES[i - 1] : 100, "y", true);
      ctx.fillStyle = SCALES[this.colouring]?.[i] ?? SCALES.alphafold[i];
      ctx.fillRect(bbox.left, top, bbox.width, chart.valToPos(least, "y", true) - top);
    });
    ctx.restore();
  }

  drawMarks(chart) {
    const { ctx, bbox } = chart;
    ctx.save();
    this.selection.ranges.forEach(([first, last], i) => {
      ctx.fillStyle = token(i ? "highlight-2" : "highlight");
      const left = chart.valToPos(first + 0.5, "x", true);
      ctx.globalAlpha = 0.25;
      ctx.fillRect(left, bbox.top, chart.valToPos(last + 1.5, "x", true) - left, bbox.height);
    });
    ctx.globalAlpha = 1;
    ctx.strokeStyle = token("ink-3");
    for (const { start } of this.scene.chains.slice(1)) {
      const x = chart.valToPos(start + 0.5, "x", true);
      ctx.strokeRect(x, bbox.top, 0, bbox.height);
    }
    if (this.scene.chains.length > 1) this.nameChains(chart);
    ctx.restore();
  }

  nameChains({ ctx, bbox, valToPos }) {
    const scale = window.devicePixelRatio || 1;
    ctx.fillStyle = token("ink-2");
    ctx.font = `${11 * scale}px ${token("sans")}`;
    ctx.textAlign = "center";
    for (const { id, start, end } of this.scene.chains) {
      const [left, right] = [valToPos(start + 0.5, "x", true), valToPos(end + 0.5, "x", true)];
      if (right - left > 14 * scale) ctx.fillText(id, (left + right) / 2, bbox.top + 12 * scale);
    }
  }

  take(chart) {
    const { left, width } = chart.select;
    if (width < 3) return;
    const at = (x) => Math.min(Math.max(Math.round(chart.posToVal(x, "x")) - 1, 0), this.scene.count - 1);
    this.selection.select([at(left), at(left + width)]);
    chart.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
  }

  follow() {
    const { hovered } = this.selection;
    if (!this.chart || hovered === (this.chart.cursor.idx ?? null)) return;
    const left = hovered === null ? -10 : this.chart.valToPos(hovered + 1, "x");
    this.chart.setCursor({ left, top: 10 }, false);
  }

  setColouring(colouring) {
    this.colouring = colouring;
    this.chart?.redraw(false);
  }
}
