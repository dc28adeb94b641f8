// Colours that carry data. The steps of a scale also differ in lightness, so that they survive without hue.

export const BANDS = [
  { least: 90, name: "very-high", label: "Very high", range: "90 and above" },
  { least: 70, name: "high", label: "Confident", range: "70 to 90" },
  { least: 50, name: "low", label: "Low", range: "50 to 70" },
  { least: -Infinity, name: "very-low", label: "Very low", range: "below 50" },
];

export const SCALES = {
  // The AlphaFold Protein Structure Database.
  alphafold: ["#0053d6", "#65cbf3", "#ffdb13", "#ff7d45"],
  // Paul Tol's medium-contrast set: told apart under every kind of colour blindness.
  safe: ["#1f5ea8", "#6699cc", "#eecc66", "#994455"],
};

export function bandIndex(plddt) {
  return BANDS.findIndex(({ least }) => plddt >= least);
}

export function plddtColour(plddt, scale) {
  return SCALES[scale][bandIndex(plddt)];
}

// Okabe and Ito's set without black, first blue and orange.
const CHAINS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#b3a81e"];

// After the seventh chain the same hues come lighter, then darker.
export function chainColour(index) {
  const base = [1, 3, 5].map((at) => parseInt(CHAINS[index % CHAINS.length].slice(at, at + 2), 16));
  const [towards, share] = [[0, 0], [255, 0.55], [0, 0.45]][Math.floor(index / CHAINS.length) % 3];
  return `#${base.map((value) => Math.round(value + share * (towards - value)).toString(16).padStart(2, "0")).join("")}`;
}

// Viridis without its darkest end: from the first residue to the last.
const RAINBOW = [[68, 57, 131], [49, 104, 142], [33, 145, 140], [53, 183, 121], [144, 215, 67], [243, 222, 44]];

function mix(stops, t) {
  const x = Math.min(Math.max(t, 0), 1) * (stops.length - 1);
  const i = Math.min(Math.floor(x), stops.length - 2);
  return stops[i].map((from, k) => Math.round(from + (x - i) * (stops[i + 1][k] - from)));
}

export function rainbow(t) {
  const [r, g, b] = mix(RAINBOW, t);
  return `rgb(${r},${g},${b})`;
}

// Dark where two residues are placed surely, pale where they are not.
const SURE_TO_UNSURE = [[4, 62, 51], [20, 120, 98], [103, 178, 151], [186, 220, 205], [243, 247, 244]];

function table(stops) {
  const rows = new Uint8ClampedArray(256 * 4);
  for (let i = 0; i < 256; i += 1) rows.set([...mix(stops, i / 255), 255], 4 * i);
  return rows;
}

export const ERROR_TABLE = table(SURE_TO_UNSURE);
const ON_PAPER = table([...SURE_TO_UNSURE].reverse());
const IN_THE_DARK = table([[20, 29, 26], [24, 74, 61], [42, 140, 113], [103, 207, 179], [226, 255, 244]]);

// Improbable is the colour of the ground, in the light and in the dark.
export function probabilityTable() {
  const isDark = getComputedStyle(document.documentElement).colorScheme === "dark";
  return isDark ? IN_THE_DARK : ON_PAPER;
}

export function token(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}
