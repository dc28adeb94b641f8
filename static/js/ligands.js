// Ligands in the form of a new fold: codes found by name, and a drawing of what was given.

const PAUSE_MS = 300;
const codes = document.getElementById("ligand-codes");
const timers = new WeakMap();
const drawn = new WeakMap();

function field(row, name) {
  return row.querySelector(`[name$="-${name}"]`);
}

function soon(row, task) {
  clearTimeout(timers.get(row));
  timers.set(row, setTimeout(task, PAUSE_MS));
}

// The names of codes that hold the last word; the words before it stay.
async function suggest(form, input) {
  const [, before, word] = /^(.*[\s,;+])?([^\s,;+]*(?: [a-z].*)?)$/i.exec(input.value) ?? [];
  const asked = (before ? word : input.value).trim();
  if (asked.length < 2) return codes.replaceChildren();
  const response = await fetch(`${form.dataset.suggest}?q=${encodeURIComponent(asked)}`, { redirect: "manual" });
  if (!response.ok) return;
  const { found } = await response.json();
  const options = found.map(({ code, name }) => new Option(`${code} · ${name}`, `${before ?? ""}${code}`));
  codes.replaceChildren(...options);
}

function given(row) {
  const as = field(row, "ligand_as").value;
  return { as, ligand: field(row, as === "file" ? "molecule" : "ligand").value.trim() };
}

async function draw(form, row) {
  const { as, ligand } = given(row);
  const figure = row.querySelector("[data-molecule]");
  const own = as === "ccd" ? form.elements.user_ccd?.value.trim() ?? "" : "";
  const key = `${as}:${ligand}:${own}`;
  if (drawn.get(row) === key) return;
  drawn.set(row, key);
  if (!ligand) {
    figure.hidden = true;
    return;
  }
  const body = new FormData();
  body.set("csrfmiddlewaretoken", form.elements.csrfmiddlewaretoken.value);
  body.set("as", as);
  body.set("ligand", ligand);
  if (own) body.set("user_ccd", own);
  const response = await fetch(form.dataset.drawing, { method: "POST", body, redirect: "manual" });
  if (drawn.get(row) !== key) return;
  figure.hidden = !response.ok;
  if (!response.ok) return;
  const image = figure.querySelector("img");
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(await response.blob());
  image.alt = `Drawing of ${as === "file" ? "the molecule in the file" : ligand}`;
}

function isLigand(row) {
  return field(row, "kind")?.value === "ligand";
}

export function drawLigands(form) {
  for (const row of form.querySelectorAll("[data-chain]")) if (isLigand(row)) draw(form, row).catch(() => {});
}

export function startLigands(form) {
  form.addEventListener("input", ({ target }) => {
    if (target === form.elements.user_ccd) soon(form, () => drawLigands(form));
    const row = target.closest("[data-chain]");
    if (!row || !isLigand(row) || target.type === "file") return;
    const named = target === field(row, "ligand") && field(row, "ligand_as").value === "ccd";
    if (named) target.setAttribute("list", "ligand-codes");
    else field(row, "ligand").removeAttribute("list");
    soon(row, () => {
      if (named) suggest(form, target).catch(() => {});
      draw(form, row).catch(() => {});
    });
  });
  drawLigands(form);
}
