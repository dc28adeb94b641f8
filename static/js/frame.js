// Binary frames of the job socket: a 40-byte little-endian header, then the numbers.
export const COORDINATES = 1;
export const CONTACTS = 2;
const HEADER = 40;
const VERSION = 1;

function header(view) {
  return {
    kind: view.getUint8(0),
    version: view.getUint8(1),
    seedIndex: view.getUint16(2, true),
    attempt: view.getUint32(4, true),
    id: `${view.getBigUint64(8, true)}-${view.getUint32(16, true)}`,
    sample: view.getUint32(20, true),
    step: view.getUint32(24, true),
    nSteps: view.getUint32(28, true),
    count: view.getUint32(32, true),
    noiseLevel: view.getFloat32(36, true),
  };
}

// int16 hundredths of an ångström → Float32Array in ångström.
export function angstroms(buffer, offset, length) {
  const packed = new Int16Array(buffer.slice(offset, offset + 2 * length));
  return Float32Array.from(packed, (value) => value / 100);
}

// The frame, or null for a version or kind that this page does not know.
export function decode(buffer) {
  if (buffer.byteLength < HEADER) return null;
  const frame = header(new DataView(buffer));
  if (frame.version !== VERSION) return null;
  if (frame.kind === COORDINATES) {
    return { ...frame, coordinates: angstroms(buffer, HEADER, 3 * frame.count) };
  }
  if (frame.kind === CONTACTS) {
    return { ...frame, cells: new Uint8Array(buffer, HEADER, frame.count * frame.count) };
  }
  return null;
}
