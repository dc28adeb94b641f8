// What the page draws of one sample, fetched from the places that its fragment names.
import { Scene } from "./scene.js";
import { ask, askFor } from "./server.js";

// Structure, scene and PAE. Where the file of all arrays is gone there is no PAE, but the rest.
export async function fetchSample({ structure, scene, pae }, signal) {
  const [cif, found, cells] = await Promise.all([
    askFor(structure, { signal }).then((response) => response.text()),
    askFor(scene, { signal }).then((response) => response.json()),
    fetchCells(pae, signal),
  ]);
  return { cif, scene: new Scene(found), cells };
}

async function fetchCells(url, signal) {
  const response = await ask(url, { signal });
  if (response.status === 404) return null;
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

// The places that fragments of another sample name.
export function placesIn(fragments) {
  const { html } = fragments.find(({ target }) => target === "sample");
  return placesOf(new DOMParser().parseFromString(html, "text/html"));
}

export function placesOf(page) {
  return { ...page.getElementById("sample").dataset };
}
