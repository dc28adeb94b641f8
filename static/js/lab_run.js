// One run of the Lab, live; without a socket (a comparison) only its figures.
import { LivePage } from "./connection.js";
import { Figures } from "./lab_chart.js";
import { swapAll } from "./swap.js";

const root = document.getElementById("lab-run");
const figures = new Figures(document.getElementById("figures"));
figures.show(JSON.parse(document.getElementById("figure-data").textContent));

function receive({ fragments, data }) {
  swapAll(fragments);
  for (const event of data?.events ?? []) {
    if (event.kind === "figures") figures.show(event.figures);
    if (event.kind === "gone") location.reload();
  }
}

// Stop and resume without leaving the page; the socket brings the new head.
function isOurs({ target, submitter }) {
  return target.id === "action-form" && /\/(cancel|resume)\/$/.test(submitter?.formAction ?? "");
}

if (root) {
  const live = new LivePage(root, { onMessage: receive });
  document.addEventListener("submit", (event) => isOurs(event) && live.act(event));
}
document.getElementById("figures").dataset.ready = "true";
