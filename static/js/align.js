// Rigid superposition: Horn 1987, the rotation as the quaternion that maximises the overlap.

function centre(points) {
  const sum = [0, 0, 0];
  for (let i = 0; i < points.length; i += 1) sum[i % 3] += points[i];
  return sum.map((value) => value / (points.length / 3 || 1));
}

function overlap(moving, from, fixed, to) {
  const s = [[0, 0, 0], [0, 0, 0], [0, 0, 0]];
  for (let i = 0; i < moving.length; i += 3) {
    for (let a = 0; a < 3; a += 1) {
      for (let b = 0; b < 3; b += 1) s[a][b] += (moving[i + a] - from[a]) * (fixed[i + b] - to[b]);
    }
  }
  return s;
}

function quaternionMatrix([[xx, xy, xz], [yx, yy, yz], [zx, zy, zz]]) {
  return [
    [xx + yy + zz, yz - zy, zx - xz, xy - yx],
    [yz - zy, xx - yy - zz, xy + yx, zx + xz],
    [zx - xz, xy + yx, yy - xx - zz, yz + zy],
    [xy - yx, zx + xz, yz + zy, zz - xx - yy],
  ];
}

// One Jacobi rotation that zeroes m[p][q]; v gathers the eigenvectors in its columns.
function rotateOut(m, v, p, q) {
  if (Math.abs(m[p][q]) < 1e-12) return;
  const theta = (m[q][q] - m[p][p]) / (2 * m[p][q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (let k = 0; k < 4; k += 1) {
    [m[k][p], m[k][q]] = [c * m[k][p] - s * m[k][q], s * m[k][p] + c * m[k][q]];
  }
  for (let k = 0; k < 4; k += 1) {
    [m[p][k], m[q][k]] = [c * m[p][k] - s * m[q][k], s * m[p][k] + c * m[q][k]];
    [v[k][p], v[k][q]] = [c * v[k][p] - s * v[k][q], s * v[k][p] + c * v[k][q]];
  }
}

function largestEigenvector(m) {
  const v = [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]];
  for (let sweep = 0; sweep < 12; sweep += 1) {
    for (let p = 0; p < 3; p += 1) for (let q = p + 1; q < 4; q += 1) rotateOut(m, v, p, q);
  }
  const best = [0, 1, 2, 3].reduce((a, b) => (m[b][b] > m[a][a] ? b : a));
  return v.map((row) => row[best]);
}

function rotation([w, x, y, z]) {
  return [
    [w * w + x * x - y * y - z * z, 2 * (x * y - w * z), 2 * (x * z + w * y)],
    [2 * (x * y + w * z), w * w - x * x + y * y - z * z, 2 * (y * z - w * x)],
    [2 * (x * z - w * y), 2 * (y * z + w * x), w * w - x * x - y * y + z * z],
  ];
}

// The rigid motion that lays `moving` over `fixed` (flat xyz arrays of one length), as a function of a point.
export function superposition(moving, fixed) {
  const from = centre(moving);
  const to = centre(fixed);
  const r = rotation(largestEigenvector(quaternionMatrix(overlap(moving, from, fixed, to))));
  return ([x, y, z]) => {
    const d = [x - from[0], y - from[1], z - from[2]];
    return r.map((row, a) => to[a] + row[0] * d[0] + row[1] * d[1] + row[2] * d[2]);
  };
}

// `moving` laid over `fixed`; a copy of `moving` where there is nothing to compare it with.
export function alignTo(moving, fixed) {
  const moved = Float32Array.from(moving);
  if (!fixed || moving.length !== fixed.length || moving.length < 9) return moved;
  const move = superposition(moving, fixed);
  for (let i = 0; i < moving.length; i += 3) moved.set(move(moving.subarray(i, i + 3)), i);
  return moved;
}
