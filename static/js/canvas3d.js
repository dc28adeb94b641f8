// The page's one 3Dmol viewer. It moves from the live panel into the result: starting WebGL anew takes a
// moment, without a GPU even seconds.
import { token } from "./palette.js";

let host = null;
let viewer = null;

// Smooth edges cost four times the pixels: too much where the processor draws instead of a GPU.
function hasGpu() {
  const gl = document.createElement("canvas").getContext("webgl");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = info ? String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(gl) && !/swiftshader|llvmpipe|software|basic render/i.test(name);
}

function create(element) {
  host = document.createElement("div");
  host.className = "viewer-host";
  element.append(host);
  viewer = window.$3Dmol.createViewer(host, { backgroundColor: token("surface"), antialias: hasGpu() });
}

// The viewer, empty, inside this element.
export function viewerIn(element) {
  if (!viewer) create(element);
  else {
    element.append(host);
    viewer.clear();
    viewer.resize();
    viewer.setBackgroundColor(token("surface"));
  }
  return viewer;
}
