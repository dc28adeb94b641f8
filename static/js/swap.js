// Puts fragments of HTML, rendered by the server, into the page.
//
// A fragment whose root carries the target's id replaces it. Any other fragment is appended to the
// target, unless an element of its id is there already: a replayed log line does not show twice.

function parse(html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  return template.content;
}

function replace(host, fresh) {
  const focused = host.contains(document.activeElement) ? document.activeElement.id : "";
  for (const details of host.querySelectorAll("details[id][open]")) {
    const twin = fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (twin) twin.open = true;
  }
  host.replaceWith(fresh);
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  return fresh;
}

function append(host, children) {
  const atEnd = host.scrollHeight - host.scrollTop - host.clientHeight < 40;
  for (const child of children) {
    if (!child.id || !document.getElementById(child.id)) host.append(child);
  }
  const most = Number(host.dataset.most ?? 0);
  while (most && host.childElementCount > most) host.firstElementChild.remove();
  if (atEnd) host.scrollTop = host.scrollHeight;
  return host;
}

export function swap({ target, html }) {
  const host = document.getElementById(target);
  if (!host) return null;
  const content = parse(html);
  const first = content.firstElementChild;
  const changed = first?.id === target ? replace(host, first) : append(host, [...content.children]);
  document.dispatchEvent(new CustomEvent("swap", { detail: { target, element: changed } }));
  return changed;
}

export function swapAll(fragments) {
  for (const fragment of fragments ?? []) swap(fragment);
}
