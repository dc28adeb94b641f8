// The page of one job: listens to its events, and shows the live panel or the result, whichever is there.
import { showConnection } from "./connection.js";
import { LivePanel } from "./live.js";
import { openResult } from "./result.js";
import { askFor } from "./server.js";
import { Stream } from "./socket.js";
import { swapAll } from "./swap.js";

const root = document.getElementById("job");
const name = document.querySelector("h1").textContent;
let panel = null;

function mount() {
  const element = document.getElementById("job-panel");
  panel?.close();
  panel = null;
  if (element.dataset.panel === "live") panel = new LivePanel(element, { drawn: () => count("drawn") });
  if (element.dataset.panel === "result") panel = openResult(element);
  root.dataset.panel = element.dataset.panel;
}

function say(state, words) {
  showConnection(root, state, words);
}

// The percent for the tab's title and, at each stage and every tenth, for people who listen to the page.
function showProgress() {
  const { percent, stage } = document.getElementById("job-progress")?.dataset ?? {};
  const status = document.querySelector("#job-head .status").textContent;
  document.title = percent === undefined ? `${status} · ${name}` : `${Math.round(percent)} % · ${name}`;
  if (percent !== undefined) root.dataset.percent = percent;
  const mark = percent === undefined ? status : `${stage}, ${10 * Math.floor(percent / 10)} percent`;
  const place = document.getElementById("announce");
  if (place.textContent !== mark) place.textContent = mark;
}

// What was heard and drawn so far stands in the page's data attributes, where tests find it.
function count(what) {
  root.dataset[what] = Number(root.dataset[what] ?? 0) + 1;
}

function receive({ fragments, data }) {
  const events = data?.events ?? [];
  if (events.some(({ kind, status }) => kind === "status" && status === "deleted")) {
    location.assign(root.dataset.gone);
    return;
  }
  const hasEnded = root.dataset.panel !== "live";
  swapAll((fragments ?? []).filter(({ target }) => !hasEnded || target !== "job-panel"));
}

function show(frame) {
  count("frames");
  panel?.take?.(frame);
}

document.addEventListener("swap", ({ detail }) => {
  if (detail.target === "job-panel") mount();
  if (detail.target === "job-head") say(root.dataset.connection);
  showProgress();
});

// The log of a job that has ended is fetched when somebody opens it.
async function fillLog({ target: details }) {
  if (!details.matches?.("details[data-log][open]") || details.dataset.filled) return;
  details.dataset.filled = "true";
  const empty = details.querySelector("[data-empty]");
  try {
    const { messages } = await (await askFor(`${root.dataset.poll}?since=0`)).json();
    swapAll(messages.flatMap(({ fragments }) => fragments).filter(({ target }) => target === "job-log"));
  } catch (error) {
    empty.textContent = `The log could not be read. ${error.message}`;
  }
  empty.hidden = details.querySelector("ol").childElementCount > 0;
}
document.addEventListener("toggle", fillLog, true);

mount();
if (root.dataset.since) {
  const stream = new Stream({
    path: root.dataset.socket,
    poll: root.dataset.poll,
    since: root.dataset.since,
    onMessage: receive,
    onFrame: show,
    onState: say,
  });
  document.addEventListener("swap", ({ detail }) => {
    if (detail.target === "job-panel" && root.dataset.panel !== "live") stream.end();
  });
}
root.dataset.ready = "true";
