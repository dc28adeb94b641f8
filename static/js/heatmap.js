// A square of bytes on a canvas, one pixel for each cell; the canvas is stretched by CSS.

export function paint(canvas, cells, size, table) {
  canvas.width = size;
  canvas.height = size;
  const context = canvas.getContext("2d");
  const image = context.createImageData(size, size);
  for (let i = 0; i < size * size; i += 1) {
    const from = 4 * cells[i];
    image.data[4 * i] = table[from];
    image.data[4 * i + 1] = table[from + 1];
    image.data[4 * i + 2] = table[from + 2];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}
