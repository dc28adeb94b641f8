// The Lab's lists, kept current: rows and cards arrive as fragments; a list that changed its length is fetched again.
import { LivePage } from "./connection.js";
import { ask } from "./server.js";
import { swap, swapAll } from "./swap.js";

const root = document.querySelector("[data-lab]");
const REFRESH_PAUSE_MS = 500;
const ASK_MS = 60_000;
let pending = 0;

async function fetchList() {
  const url = new URL(location.href);
  url.searchParams.set("part", "list");
  const chosen = [...document.querySelectorAll("input[name=run]:checked")].map(({ id }) => id);
  const response = await ask(url);
  if (response.ok) swap({ target: "lab-list", html: await response.text() });
  for (const id of chosen) document.getElementById(id)?.setAttribute("checked", "");
}

function refreshSoon() {
  clearTimeout(pending);
  pending = setTimeout(() => live.ask(fetchList), REFRESH_PAUSE_MS);
}

// A row that is swapped keeps its tick.
function keepChosen(fragments) {
  const chosen = new Set([...document.querySelectorAll("input[name=run]:checked")].map(({ id }) => id));
  swapAll(fragments);
  for (const box of document.querySelectorAll("input[name=run]")) if (chosen.has(box.id)) box.checked = true;
}

function isNews(event) {
  if (root.dataset.lab === "executions") return event.kind === "executions";
  if (root.dataset.lab !== "runs" || event.kind !== "run") return false;
  const isFirstPage = !new URL(location.href).searchParams.get("page");
  return event.status === "deleted" || (isFirstPage && !document.getElementById(`run-${event.run}`));
}

function receive({ fragments, data }) {
  if ((data?.events ?? []).some(isNews)) refreshSoon();
  keepChosen(fragments);
}

// Test and move without leaving the page; the socket brings the answer.
function act(event) {
  const action = event.submitter?.formAction ?? "";
  if (event.target.id === "action-form" && /\/(test|rollback|staging|production|archived)\/$/.test(action)) live.act(event);
}

// While somebody looks, the server has backends read again whose readings are old; the socket brings them.
function keepFresh() {
  if (!document.hidden) live.ask(() => ask(location.href, { method: "HEAD" }));
}

if (root.dataset.lab === "backends") setInterval(keepFresh, ASK_MS);
document.addEventListener("submit", act);
const live = new LivePage(root, { onMessage: receive });
root.dataset.ready = "true";
