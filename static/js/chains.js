// The rows of chains in the form of a new fold: add, remove, split a pasted FASTA, fill an example.

const list = document.getElementById("chains");
const template = document.getElementById("chain-template");

function rows() {
  return [...list.querySelectorAll("[data-chain]")];
}

// Names and ids carry the number of their row, as Django's formset counts them.
function renumber(form) {
  rows().forEach((row, index) => {
    for (const element of row.querySelectorAll("[name], [id], [for], [data-reads-into]")) {
      for (const attribute of ["name", "id", "for", "data-reads-into", "aria-describedby"]) {
        const value = element.getAttribute(attribute);
        if (value) element.setAttribute(attribute, value.replace(/chains-(\d+|__prefix__)-/g, `chains-${index}-`));
      }
    }
    row.querySelector("[data-number]").textContent = index + 1;
    row.querySelector("[data-remove]").hidden = rows().length === 1;
  });
  form.elements["chains-TOTAL_FORMS"].value = rows().length;
}

function addRow(form, kind = "protein") {
  list.append(template.content.cloneNode(true));
  renumber(form);
  const row = rows().at(-1);
  field(row, "kind").value = kind;
  return row;
}

// The field that a row of this kind begins with.
function first(row) {
  return field(row, field(row, "kind").value === "ligand" ? "ligand" : "sequence");
}

function field(row, name) {
  return row.querySelector(`[name$="-${name}"]`);
}

function clear(row) {
  for (const name of ["sequence", "ligand", "molecule", "ids", "modifications", "msa", "paired_msa", "templates", "template_chain", "template_mapping"]) field(row, name).value = "";
  field(row, "kind").value = "protein";
  field(row, "copies").value = "1";
  for (const name of ["cyclic", "no_msa", "no_templates"]) field(row, name).checked = false;
}

// The records of a FASTA text, each with its header.
function records(text) {
  return text.split(/^(?=>)/m).filter((record) => record.startsWith(">"));
}

// A paste of several records becomes as many rows, so that each can have its copies and alignment.
function splitPaste(form, event, changed) {
  const area = event.target;
  const text = event.clipboardData?.getData("text") ?? "";
  if (!area.name?.endsWith("-sequence") || area.value.trim() || text.length > 200_000) return;
  const parts = records(text);
  if (parts.length < 2 || parts.length > 20 || text.slice(0, text.indexOf(">")).trim()) return;
  event.preventDefault();
  area.value = parts[0].trim();
  const kind = field(area.closest("[data-chain]"), "kind").value;
  for (const part of parts.slice(1)) field(addRow(form, kind), "sequence").value = part.trim();
  changed();
}

export function fillExample(form, { name, sequence, copies }) {
  form.querySelector('[name="mode"][value="chains"]').checked = true;
  rows().slice(1).forEach((row) => row.remove());
  renumber(form);
  const [row] = rows();
  clear(row);
  form.elements.name.value = name;
  form.elements.bonds.value = "";
  form.elements.user_ccd.value = "";
  field(row, "sequence").value = sequence;
  field(row, "copies").value = copies;
  field(row, "sequence").focus();
}

// A job file has a name of its own, or gets one from its writer: never that of an example tried before.
function dropExampleName(form) {
  const names = [...document.querySelectorAll(".example")].map(({ dataset }) => dataset.name);
  if (names.includes(form.elements.name.value)) form.elements.name.value = "";
}

export function startChains(form, changed) {
  const add = document.getElementById("add-row");
  add.hidden = false;
  add.addEventListener("click", (event) => {
    const { add: kind } = event.target.dataset;
    if (!kind) return;
    first(addRow(form, kind)).focus();
    changed();
  });
  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-remove]");
    if (!button) return;
    const row = button.closest("[data-chain]");
    const neighbour = row.previousElementSibling ?? row.nextElementSibling;
    row.remove();
    renumber(form);
    first(neighbour).focus();
    changed();
  });
  list.addEventListener("paste", (event) => splitPaste(form, event, changed));
  form.addEventListener("change", ({ target }) => target.name === "mode" && target.value === "json" && dropExampleName(form));
  renumber(form);
}
