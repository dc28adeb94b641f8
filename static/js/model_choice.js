// Recycles, steps and samples follow the model that was chosen, unless somebody typed their own.

const FIELDS = { n_samples: "nSamples", n_recycles: "nRecycles", n_steps: "nSteps" };

export function startModelChoice(form, changed) {
  const list = form.elements.namedItem("model");
  if (!list) return;
  let before = list.selectedOptions[0]?.dataset ?? {};
  list.addEventListener("change", () => {
    const now = list.selectedOptions[0].dataset;
    for (const [name, key] of Object.entries(FIELDS)) {
      const field = form.elements.namedItem(name);
      if (field.value.trim() === before[key] || !field.value.trim()) field.value = now[key] ?? field.value;
    }
    before = now;
    changed();
  });
}
