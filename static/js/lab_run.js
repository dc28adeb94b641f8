// One run of the Lab, live; without a socket (a comparison) only its figures.
import { Figures } from "./lab_chart.js";
import { Stream } from "./socket.js";
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
  root.dataset.events = Number(root.dataset.events ?? 0) + 1;
}

// Stop and resume without leaving the page; the socket brings the new head.
async function act(event) {
  const action = event.submitter?.formAction ?? "";
  if (event.target.id !== "action-form" || !/\/(cancel|resume)\/$/.test(action)) return;
  event.preventDefault();
  event.submitter.disabled = true;
  const response = await fetch(action, { method: "POST", body: new FormData(event.target), redirect: "manual" });
  if (response.type !== "opaqueredirect") location.reload();
}

if (root) {
  document.addEventListener("submit", act);
  new Stream({
    path: root.dataset.socket,
    onMessage: receive,
    onState: (state) => {
      root.dataset.connection = state;
    },
  });
}
document.getElementById("figures").dataset.ready = "true";
