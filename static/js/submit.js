// The form of a new fold: rows that come and go, files read into text, answers while one types.
import { swapAll } from "./swap.js";
import { startChains, fillExample } from "./chains.js";

const form = document.getElementById("submit-form");
const MOST = Number(form.dataset.mostCharacters);
const PAUSE_MS = 350;
// Alignments may be large; the rows that fit in here show what is usually wrong with one.
const MSA_SAMPLE = 100_000;
const touched = new Set();
let timer = 0;
let running = null;

function errorList(field) {
  const id = field ? `id_${field}_error` : "id_whole_error";
  return document.getElementById(id);
}

function showErrors(field, messages) {
  const list = errorList(field);
  if (!list) return;
  list.replaceChildren(...messages.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  list.hidden = !messages.length;
  const control = form.elements.namedItem(field);
  if (!(control instanceof HTMLElement)) return;
  control.toggleAttribute("aria-invalid", messages.length > 0);
  if (messages.length) control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", [list.id, `id_${field}_helptext`].filter((id) => document.getElementById(id)).join(" "));
}

function textFields() {
  return [...form.querySelectorAll("textarea, input:not([type=radio], [type=hidden], [type=file])")];
}

function show(errors, { all }) {
  for (const field of textFields()) {
    const messages = errors[field.name] ?? [];
    showErrors(field.name, all || touched.has(field.name) ? messages : []);
  }
  showErrors("", errors[""] ?? []);
}

function sampled(text) {
  if (text.length <= MSA_SAMPLE) return text;
  return text.slice(0, text.lastIndexOf("\n>", MSA_SAMPLE));
}

// What goes to the server while one types: the form without its files and without the bulk of alignments.
function draft() {
  const data = new FormData(form);
  for (const [name, value] of [...data]) {
    if (value instanceof File) data.delete(name);
    else if (name.endsWith("-msa")) data.set(name, sampled(value));
  }
  return data;
}

function most(field) {
  return field.name.endsWith("msa") || field.name === "json" ? 20 * MOST : MOST;
}

function sayTooLong(field, count) {
  const [has, can] = [count, most(field)].map((value) => value.toLocaleString("en"));
  showErrors(field.name, [`This text has ${has} characters, and at most ${can} can be read. Check that you copied the right thing.`]);
}

// No page can hold every text: one that is far too long is refused before it gets into its field.
function refusePaste(event) {
  const field = event.target;
  const text = event.clipboardData?.getData("text") ?? "";
  if (field.form !== form || text.length <= most(field)) return;
  event.preventDefault();
  event.stopPropagation();
  clearTimeout(timer);
  sayTooLong(field, text.length);
}

async function ask() {
  running?.abort();
  running = new AbortController();
  document.getElementById("check").dataset.busy = "";
  const response = await fetch(form.dataset.validate, {
    method: "POST",
    body: draft(),
    headers: { "X-Requested-With": "fetch" },
    signal: running.signal,
  });
  if (!response.ok) throw new Error(`validation answered ${response.status}`);
  return response.json();
}

async function validate({ all }) {
  try {
    const answer = await ask();
    swapAll(answer.fragments);
    show(answer.errors, { all });
    form.dataset.valid = String(answer.ok);
    return answer.ok;
  } catch (error) {
    if (error.name === "AbortError") return false;
    delete document.getElementById("check").dataset.busy;
    return true; // The server cannot be asked now; it judges the form when it arrives.
  }
}

function later() {
  clearTimeout(timer);
  timer = setTimeout(() => validate({ all: false }), PAUSE_MS);
}

async function readFile(input) {
  const [file] = input.files;
  const field = document.getElementById(input.dataset.readsInto);
  if (!file) return;
  touched.add(field.name);
  if (file.size > most(field)) sayTooLong(field, file.size);
  else {
    field.value = await file.text();
    later();
  }
  input.value = "";
}

function focusFirstError() {
  const field = form.querySelector("[aria-invalid=true]");
  field?.closest("details")?.setAttribute("open", "");
  field?.focus();
}

form.addEventListener("input", (event) => {
  if (event.target.type === "file") return;
  touched.add(event.target.name);
  later();
});
form.addEventListener("paste", refusePaste, true);
form.addEventListener("change", (event) => {
  if (event.target.type === "file") readFile(event.target);
});
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  clearTimeout(timer);
  if (await validate({ all: true })) form.submit();
  else focusFirstError();
});
startChains(form, later);
for (const link of document.querySelectorAll("[data-example]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    fillExample(form, link.dataset);
    later();
  });
}
if (textFields().some((field) => field.tagName === "TEXTAREA" && field.value)) later();
form.dataset.ready = "true";
