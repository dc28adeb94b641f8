// The models, kept current: cards arrive as fragments while weights are downloaded.
import { LivePage } from "./connection.js";
import { swapAll } from "./swap.js";

const root = document.getElementById("models");

// Download, cancel and remove without leaving the page; the socket brings the new card.
function isOurs({ target, submitter }) {
  return target.id === "action-form" && /\/models\/.+\/(download|cancel)\/$/.test(submitter?.formAction ?? "");
}

const live = new LivePage(root, { onMessage: ({ fragments }) => swapAll(fragments) });
document.addEventListener("submit", (event) => isOurs(event) && live.act(event));
root.dataset.ready = "true";
