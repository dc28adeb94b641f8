// Keys of colours: a swatch and a name for each.

export function writeKeys(list, entries) {
  list.replaceChildren(...entries.map(([colour, words]) => {
    const entry = Object.assign(document.createElement("li"), { className: "key", textContent: words });
    entry.prepend(swatch(colour));
    return entry;
  }));
}

function swatch(colour) {
  const square = Object.assign(document.createElement("span"), { className: "swatch" });
  square.style.background = colour;
  return square;
}
