// My jobs, kept current: rows arrive as fragments, a list that changed its length is fetched again.
import { LivePage } from "./connection.js";
import { ask } from "./server.js";
import { swap, swapAll } from "./swap.js";

const root = document.getElementById("dashboard");
const filter = document.getElementById("filter");
const REFRESH_PAUSE_MS = 400;
const TYPING_PAUSE_MS = 300;
let pending = 0;
let typing = 0;

function listAddress() {
  const url = new URL(location.href);
  url.searchParams.set("part", "list");
  return url;
}

function refresh() {
  return live.ask(async () => {
    const response = await ask(listAddress());
    if (response.ok) swap({ target: "jobs", html: await response.text() });
  });
}

function refreshSoon() {
  clearTimeout(pending);
  pending = setTimeout(refresh, REFRESH_PAUSE_MS);
}

function receive({ fragments, data }) {
  const changes = (data?.events ?? []).map(({ change }) => change);
  swapAll(fragments);
  if (changes.includes("created") || changes.includes("deleted")) refreshSoon();
}

// Cancel and delete without leaving the page; trying again leads to the new job.
async function act(event) {
  const action = event.submitter?.formAction ?? "";
  if (event.target.id !== "action-form" || !/\/(cancel|delete)\/$/.test(action)) return;
  await live.act(event);
  refreshSoon();
}

function search() {
  const url = new URL(location.pathname, location.href);
  for (const [name, value] of new FormData(filter)) if (value) url.searchParams.set(name, value);
  history.replaceState(null, "", url);
  refresh();
}

document.addEventListener("submit", act);
filter?.addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});
filter?.addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(search, TYPING_PAUSE_MS);
});
const live = new LivePage(root, {
  onMessage: receive,
  onState: (state) => state === "live" && root.dataset.connection && refreshSoon(),
});
root.dataset.ready = "true";
