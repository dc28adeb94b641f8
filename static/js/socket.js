// One stream of events per page: a WebSocket that resumes where it was, and polling where none gets through.
import { decode } from "./frame.js";
import { SignedOut, ask } from "./server.js";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const SILENCE_MS = 60_000;
const POLL_MS = 2_000;
const FAILURES_BEFORE_POLLING = 3;
const GONE = "There is nothing here any more.";

function socketUrl(path, since) {
  const url = new URL(path, location.href);
  url.protocol = location.protocol === "https:" ? "wss:" : "ws:";
  if (since) url.searchParams.set("since", since);
  return url;
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0)).buffer;
}

function isNewer(id, than) {
  const [a, b] = [id, than || "0-0"].map((text) => text.split("-").map(Number));
  return a[0] > b[0] || (a[0] === b[0] && (a[1] || 0) > (b[1] || 0));
}

export class Stream {
  // onMessage gets text frames, onFrame decoded binary ones, onState "live", "waiting", "polling",
  // "offline", "closed" or "refused", this one with the server's words for it.
  constructor({ path, poll = null, since = "", onMessage, onFrame = () => {}, onState = () => {} }) {
    Object.assign(this, { path, poll, since, onMessage, onFrame, onState });
    this.pause = FIRST_PAUSE_MS;
    this.failures = 0;
    this.ended = false;
    window.addEventListener("online", () => this.retryNow());
    window.addEventListener("offline", () => this.socket?.close());
    document.addEventListener("visibilitychange", () => document.hidden || this.retryNow());
    this.open();
  }

  open() {
    if (this.ended || this.socket) return;
    clearTimeout(this.timer);
    const socket = new WebSocket(socketUrl(this.path, this.since));
    socket.binaryType = "arraybuffer";
    this.socket = socket;
    this.watch();
    socket.addEventListener("message", (event) => this.receive(event.data));
    socket.addEventListener("close", (event) => this.closed(event));
  }

  // The first message shows that the stream works: an open socket alone may still be refused.
  receive(data) {
    this.failures = 0;
    this.pause = FIRST_PAUSE_MS;
    this.watch();
    this.say("live");
    if (data instanceof ArrayBuffer) this.take(data);
    else this.read(JSON.parse(data));
  }

  read(message) {
    if (message.id && isNewer(message.id, this.since)) this.since = message.id;
    this.onMessage(message);
    if (message.error) this.end("refused", message.error);
  }

  take(buffer) {
    const frame = decode(buffer);
    if (!frame) return;
    if (isNewer(frame.id, this.since)) this.since = frame.id;
    this.onFrame(frame);
  }

  closed(event) {
    this.socket = null;
    clearTimeout(this.silence);
    if (this.ended) return;
    if (event.code === 1000 && event.reason === "finished") {
      this.end();
      return;
    }
    this.failures += 1;
    this.say(this.waitingState());
    this.timer = setTimeout(() => this.open(), this.pause * (0.7 + 0.6 * Math.random()));
    this.pause = Math.min(2 * this.pause, LONGEST_PAUSE_MS);
    if (this.failures >= FAILURES_BEFORE_POLLING) this.startPolling();
  }

  waitingState() {
    if (!navigator.onLine) return "offline";
    return this.polling ? "polling" : "waiting";
  }

  // A laptop that slept leaves a socket that never says anything again.
  watch() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.socket?.close(), SILENCE_MS);
  }

  retryNow() {
    if (this.socket || this.ended) return;
    this.pause = FIRST_PAUSE_MS;
    this.open();
  }

  startPolling() {
    if (!this.poll || this.polling) return;
    this.polling = setInterval(() => this.pollOnce(), POLL_MS);
    this.pollOnce();
  }

  async pollOnce() {
    if (this.state === "live" || this.ended) {
      this.polling = clearInterval(this.polling);
      return;
    }
    try {
      const response = await ask(`${this.poll}?since=${encodeURIComponent(this.since)}`);
      if (response.status === 404) return this.end("refused", GONE);
      if (!response.ok) throw new Error(`polling answered ${response.status}`);
      const answer = await response.json();
      this.say("polling");
      for (const message of answer.messages ?? []) this.read(message);
      for (const frame of answer.frames ?? []) this.take(bytesOf(frame));
      if (answer.last && isNewer(answer.last, this.since)) this.since = answer.last;
    } catch (error) {
      if (error instanceof SignedOut) this.end("refused", error.message);
      else this.say(this.waitingState());
    }
  }

  say(state, words) {
    if (state === this.state) return;
    this.state = state;
    this.onState(state, words);
  }

  end(state = "closed", words = "") {
    this.ended = true;
    clearTimeout(this.timer);
    clearTimeout(this.silence);
    clearInterval(this.polling);
    this.socket?.close();
    this.say(state, words);
  }
}
