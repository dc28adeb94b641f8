// The form of a new fold: rows that come and go, files read into text, answers while one types.
import { swapAll } from "./swap.js";
import { startChains, fillExample } from "./chains.js";
import { focusFirstError, hasPlace, showErrors } from "./complaints.js";
import { drawLigands, startLigands } from "./ligands.js";
import { startModelChoice } from "./model_choice.js";

const form = document.getElementById("submit-form");
const MOST = Number(form.dataset.mostCharacters);
const PAUSE_MS = 350;
// Alignments may be large; the rows that fit in here show what is usually wrong with one. How many there are is told.
const MSA_SAMPLE = 100_000;
const SIGNED_OUT = "You are no longer signed in. Sign in again in another tab, then send this form once more.";
// What the page came with complaints about counts as touched: they stay until it is put right.
const touched = new Set([...form.querySelectorAll("[aria-invalid=true]")].map(({ name }) => name));
// The field that was changed last: large structures are judged again only when they, or what goes with them, change.
let changed = "";
let timer = 0;
let running = null;

function textFields() {
  return [...form.querySelectorAll("textarea, select, input:not([type=radio], [type=hidden], [type=file])")];
}

function show(errors, { all, omitted }) {
  for (const field of textFields()) {
    // What a structure needs is said as soon as there is one.
    const owner = field.name.replace(/template_\w+$/, "templates");
    if (omitted.has(owner)) continue;
    const isTouched = touched.has(field.name) || touched.has(owner);
    showErrors(field.name, all || isTouched ? (errors[field.name] ?? []) : []);
  }
  // What has no field in the page is said at its top.
  const homeless = Object.keys(errors).filter((name) => !hasPlace(name));
  showErrors("", [...(errors[""] ?? []), ...(all ? homeless.flatMap((name) => errors[name]) : [])]);
}

function sampled(text) {
  if (text.length <= MSA_SAMPLE || !text.startsWith(">")) return text;
  return text.slice(0, text.lastIndexOf("\n>", MSA_SAMPLE));
}

function isIdle(name, value) {
  return name.endsWith("-templates") && value.length > MSA_SAMPLE && !/-(templates|template_\w+|sequence)$/.test(changed);
}

// What goes to the server while one types: the pane that counts, without files, the bulk of alignments, and large
// structures that it has judged already. `omitted` gets the names of those.
function draft({ all, omitted }) {
  const data = new FormData(form);
  const isJson = data.get("mode") === "json";
  for (const [name, value] of [...data]) {
    const other = isJson ? /^chains-\d/.test(name) : name === "json";
    if (value instanceof File || other) data.delete(name);
    else if (name.endsWith("msa")) {
      data.set(name, sampled(value));
      data.set(`${name}_rows`, value.match(/^>/gm)?.length ?? 0);
    }
    else if (!all && isIdle(name, value)) {
      omitted.add(name);
      data.delete(name);
    }
  }
  return data;
}

function most(field) {
  return /msa$|-templates$|^json$/.test(field.name) ? 20 * MOST : MOST;
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

async function ask(options) {
  running?.abort();
  running = new AbortController();
  document.getElementById("check").dataset.busy = "";
  const { signal } = running;
  const post = () => fetch(form.dataset.validate, { method: "POST", body: draft(options), signal, redirect: "manual" });
  let response = await post();
  if (response.status === 403 && (await renewToken())) response = await post();
  return response;
}

// The form's key dies when one signs in again, in another tab for example: a fresh page has the new one.
async function renewToken() {
  const response = await fetch(form.action, { redirect: "manual" });
  if (!response.ok) return false;
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  form.elements.csrfmiddlewaretoken.value = page.querySelector("#submit-form [name=csrfmiddlewaretoken]").value;
  return true;
}

// Whether the form may be sent; a server that cannot be asked now judges it when it arrives.
async function validate({ all }) {
  const omitted = new Set();
  try {
    const response = await ask({ all, omitted });
    if (response.type === "opaqueredirect" || response.status === 403) {
      showErrors("", [SIGNED_OUT]);
      return false;
    }
    const answer = await response.json();
    swapAll(answer.fragments);
    show(answer.errors, { all, omitted });
    return answer.ok;
  } catch (error) {
    return error.name !== "AbortError";
  } finally {
    delete document.getElementById("check").dataset.busy;
  }
}

function later() {
  clearTimeout(timer);
  if (!form.dataset.sending) timer = setTimeout(() => validate({ all: false }), PAUSE_MS);
}

async function readFile(input) {
  const files = [...input.files];
  const field = document.getElementById(input.dataset.readsInto);
  if (!files.length) return;
  touched.add(field.name);
  changed = field.name;
  const before = "appends" in input.dataset && field.value.trim() ? `${field.value.trimEnd()}\n` : "";
  const length = files.reduce((sum, { size }) => sum + size, before.length);
  if (length > most(field)) sayTooLong(field, length);
  else {
    const texts = await Promise.all(files.map((file) => file.text()));
    field.value = before + (texts.length > 1 ? texts.map((text) => text.trimEnd()).join("\n") : texts[0]);
    drawLigands(form);
    later();
  }
  input.value = "";
}

form.addEventListener("input", (event) => {
  if (event.target.type === "file") return;
  touched.add(event.target.name);
  changed = event.target.name;
  later();
});
form.addEventListener("paste", refusePaste, true);
form.addEventListener("change", (event) => {
  if (event.target.type === "file") readFile(event.target);
});

// The button that was pressed goes along; a download leaves the page as it is.
function submitAs(button) {
  const choice = Object.assign(document.createElement("input"), { type: "hidden", name: button?.name ?? "", value: button?.value ?? "" });
  form.append(choice);
  form.submit();
  choice.remove();
  if (button?.name === "export") delete form.dataset.sending;
}

async function send(event) {
  event.preventDefault();
  clearTimeout(timer);
  if (form.dataset.sending) return;
  form.dataset.sending = "true";
  if (await validate({ all: true })) submitAs(event.submitter);
  else {
    delete form.dataset.sending;
    focusFirstError();
  }
}

form.addEventListener("submit", send);
window.addEventListener("pageshow", () => delete form.dataset.sending);
startChains(form, later);
startLigands(form);
startModelChoice(form, later);
for (const link of document.querySelectorAll("[data-example]")) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    fillExample(form, link.dataset);
    later();
  });
}
if (textFields().some((field) => field.tagName === "TEXTAREA" && field.value)) later();
form.dataset.ready = "true";
