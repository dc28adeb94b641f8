// What every page has: the theme button, menus that close, questions before a deletion, times as words.
import { startRelativeTimes } from "./time.js";

const NEXT = { auto: "light", light: "dark", dark: "auto" };
const SAYS = { auto: "follow the system", light: "light", dark: "dark" };

function storedTheme() {
  return document.documentElement.dataset.theme ?? "auto";
}

function applyTheme(theme) {
  const root = document.documentElement;
  if (theme === "auto") delete root.dataset.theme;
  else root.dataset.theme = theme;
  try {
    if (theme === "auto") localStorage.removeItem("theme");
    else localStorage.setItem("theme", theme);
  } catch {
    // Storage is off: the choice holds for this page only.
  }
  document.dispatchEvent(new CustomEvent("themechange"));
}

function startThemeToggle(button) {
  const name = () => button.setAttribute("aria-label", `Colour theme: ${SAYS[storedTheme()]}`);
  button.hidden = false;
  button.addEventListener("click", () => {
    applyTheme(NEXT[storedTheme()]);
    name();
    button.title = button.getAttribute("aria-label");
  });
  name();
}

function closeMenus(event) {
  for (const menu of document.querySelectorAll("details[data-menu][open]")) {
    if (event.type === "keydown" && event.key !== "Escape") continue;
    if (event.type === "click" && menu.contains(event.target)) continue;
    menu.open = false;
    if (event.type === "keydown") menu.querySelector("summary").focus();
  }
}

// A button with data-confirm sends its form only after the dialog was answered with yes.
function askFirst(event) {
  const { target: form, submitter } = event;
  const dialog = document.getElementById("confirm");
  const words = submitter?.dataset ?? {};
  if (!words.confirm || !dialog?.showModal || form.dataset.confirmed) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  dialog.querySelector("#confirm-title").textContent = words.confirm;
  dialog.querySelector("#confirm-text").textContent = words.confirmText ?? "";
  dialog.querySelector("#confirm-no").textContent = words.confirmNo ?? "Keep it";
  const yes = dialog.querySelector("#confirm-yes");
  yes.textContent = words.confirmYes ?? "Yes";
  yes.className = `button ${words.confirmKind ?? "danger"}`;
  dialog.returnValue = "";
  dialog.addEventListener("close", () => sendAnswered(form, submitter, dialog), { once: true });
  dialog.showModal();
}

// The button may have been swapped for a newer one of its id while the dialog was open, or be gone with its row.
function sendAnswered(form, submitter, dialog) {
  const button = submitter.isConnected ? submitter : document.getElementById(submitter.id);
  if (dialog.returnValue !== "yes" || !button) return;
  form.dataset.confirmed = "yes";
  form.requestSubmit(button);
  delete form.dataset.confirmed;
}

document.querySelectorAll("[data-theme-toggle]").forEach(startThemeToggle);
document.addEventListener("click", closeMenus);
document.addEventListener("keydown", closeMenus);
document.addEventListener("submit", askFirst, true);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new CustomEvent("themechange"));
});
startRelativeTimes();
