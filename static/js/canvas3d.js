// 3Dmol viewers, all made alike.
import { token } from "./palette.js";

// Smooth edges cost four times the pixels: too much where the processor draws instead of a GPU.
function hasGpu() {
  const gl = document.createElement("canvas").getContext("webgl");
  const info = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = info ? String(gl.getParameter(info.UNMASKED_RENDERER_WEBGL)) : "";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return Boolean(gl) && !/swiftshader|llvmpipe|software|basic render/i.test(name);
}

export function createViewer(element) {
  return window.$3Dmol.createViewer(element, { backgroundColor: token("surface"), antialias: hasGpu() });
}
