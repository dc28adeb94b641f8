// What is wrong with the form of a new fold: sentences at their fields, or at the top for the job as a whole ("").
const form = document.getElementById("submit-form");

function errorList(field) {
  const id = field ? `id_${field}_error` : "id_whole_error";
  return document.getElementById(id);
}

export function hasPlace(field) {
  return errorList(field) !== null;
}

// Lists that say the same as before stay as they are, and are not read aloud again.
function write(list, messages) {
  const before = [...list.children].map((item) => item.textContent);
  if (before.join("\n") === messages.join("\n")) return;
  list.replaceChildren(...messages.map((text) => Object.assign(document.createElement("li"), { textContent: text })));
  list.hidden = !messages.length;
}

export function showErrors(field, messages) {
  const list = errorList(field);
  if (!list) return;
  write(list, messages);
  const control = form.elements.namedItem(field);
  if (!(control instanceof HTMLElement)) return;
  control.toggleAttribute("aria-invalid", messages.length > 0);
  if (messages.length) control.setAttribute("aria-invalid", "true");
  control.setAttribute("aria-describedby", [list.id, `id_${field}_helptext`].filter((id) => document.getElementById(id)).join(" "));
}

// Nobody presses Fold without an answer: the complaint about the whole job, or the first field that has one.
export function focusFirstError() {
  const fields = [...form.querySelectorAll("[aria-invalid=true]")];
  for (const field of fields) field.closest("details")?.setAttribute("open", "");
  const whole = errorList("");
  const seen = fields.find((field) => field.checkVisibility());
  // A field that the page does not show cannot speak for itself.
  if (!seen && whole.hidden) showErrors("", fields.map(({ name }) => errorList(name).textContent));
  const place = whole.hidden ? seen : whole;
  place?.scrollIntoView({ block: "center" });
  place?.focus({ preventScroll: true });
}
