// Questions to the server. Whoever is signed out is led to the sign-in page, which no page may take for its own.

export class SignedOut extends Error {
  constructor() {
    super("you are no longer signed in");
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
