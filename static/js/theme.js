// Sets the stored colour theme before the first paint; a classic script, so that nothing flashes.
(() => {
  "use strict";
  let theme = null;
  try {
    theme = localStorage.getItem("theme");
  } catch {
    theme = null; // storage is off: follow the system
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
