// The surface of a structure. Workers compute its shape, several for each; its colours change where it stands, as
// often as somebody who drags a selection changes them.
const OPACITY = 0.82;

export class Surface {
  constructor(viewer) {
    this.viewer = viewer;
    this.shape = null;
  }

  // `shape` names what the surface is of: the same name again only asks for other colours.
  show(colorfunc, { shape, atoms }) {
    this.colorfunc = colorfunc;
    if (shape === this.shape) this.recolour();
    else this.compute(shape, atoms);
  }

  async compute(shape, atoms) {
    const { colorfunc } = this;
    this.shape = shape;
    this.viewer.removeAllSurfaces();
    const computed = this.viewer.addSurface(window.$3Dmol.SurfaceType.MS, { opacity: OPACITY, colorfunc }, atoms);
    this.id = computed.surfid;
    await computed;
    if (this.id !== computed.surfid || this.colorfunc === colorfunc) return;
    this.recolour();
    this.viewer.render();
  }

  recolour() {
    this.viewer.setSurfaceMaterialStyle(this.id, { opacity: OPACITY, colorfunc: this.colorfunc });
  }

  remove() {
    this.viewer.removeAllSurfaces();
    this.shape = null;
    this.id = null;
  }
}
