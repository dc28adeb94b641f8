// How a page is connected, in words, and what it asks beside its stream.
import { SignedOut, post } from "./server.js";
import { Stream } from "./socket.js";

const SAYS = {
  live: "live",
  waiting: "connection lost, trying again",
  polling: "slow connection: asking every two seconds",
  offline: "offline, goes on when the network is back",
  closed: "",
  refused: "signed out: sign in again and reload",
};

// Says it where the page has a place for it; `words` are the server's own.
export function showConnection(root, state, words = "") {
  root.dataset.connection = state;
  const place = document.getElementById("connection");
  if (!place) return;
  place.hidden = false;
  place.dataset.state = state;
  place.textContent = words || SAYS[state];
}

// A page that its stream keeps current.
export class LivePage {
  constructor(root, { onMessage, onState = () => {} }) {
    this.stream = new Stream({
      path: root.dataset.socket,
      onMessage: (message) => {
        onMessage(message);
        root.dataset.events = Number(root.dataset.events ?? 0) + 1;
      },
      onState: (state, words) => {
        onState(state);
        showConnection(root, state, words);
      },
    });
  }

  // What a question came to. One that got no answer is asked again by the next event, or the next reconnection.
  async ask(question) {
    try {
      await question();
    } catch (error) {
      if (error instanceof SignedOut) this.stream.end("refused", error.message);
    }
  }

  // Sends the form of a button without leaving the page; the stream brings what comes of it.
  async act(event) {
    const { target, submitter } = event;
    event.preventDefault();
    submitter.disabled = true;
    await this.ask(() => post(target, submitter.formAction));
    submitter.disabled = false;
  }
}
