// The models, kept current: cards arrive as fragments while weights are downloaded.
import { Stream } from "./socket.js";
import { swapAll } from "./swap.js";

const root = document.getElementById("models");

// Download, cancel and remove without leaving the page; the socket brings the new card.
async function act(event) {
  const action = event.submitter?.formAction ?? "";
  if (event.target.id !== "action-form" || !/\/models\/.+\/(download|cancel)\/$/.test(action)) return;
  event.preventDefault();
  const response = await fetch(action, { method: "POST", body: new FormData(event.target), redirect: "manual" });
  if (response.type !== "opaqueredirect") location.reload();
}

document.addEventListener("submit", act);
new Stream({
  path: root.dataset.socket,
  onMessage: ({ fragments }) => {
    swapAll(fragments);
    root.dataset.events = Number(root.dataset.events ?? 0) + 1;
  },
  onState: (state) => {
    root.dataset.connection = state;
  },
});
root.dataset.ready = "true";
