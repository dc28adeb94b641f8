// Questions to the server. Whoever is signed out is led to the sign-in page, which no page may take for its own.

export class SignedOut extends Error {
  constructor() {
    super("You are no longer signed in. Sign in again, then reload this page.");
  }
}

export async function ask(url, options = {}) {
  const response = await fetch(url, { ...options, redirect: "manual" });
  if (response.type === "opaqueredirect") throw new SignedOut();
  return response;
}

// The answer, where it is a good one.
export async function askFor(url, options = {}) {
  const response = await ask(url, options);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response;
}

// Sends a form. What went well leads to another page, and so does what nobody may who is signed out: the page's own
// address tells them apart. Anything else is a form whose key has died, which a fresh page has anew.
export async function post(form, action) {
  const response = await fetch(action, { method: "POST", body: new FormData(form), redirect: "manual" });
  if (response.type === "opaqueredirect") await ask(location.href, { method: "HEAD" });
  else location.reload();
}
