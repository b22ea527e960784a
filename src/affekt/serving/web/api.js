// Calls of the service. A key that it asks for is kept for this tab alone.

const KEY = "affekt key";
const PATIENCE = 6; // times that a busy service is asked again

export class ServiceFault extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }
}

/** Remember a key for this tab. */
export const setKey = (key) => sessionStorage.setItem(KEY, key);

/** Ask the service; a busy or starting one is asked again when it says so. */
export async function ask(path, body, { signal, patient = false } = {}) {
  for (let tried = 0; ; tried++) {
    const response = await sent(path, body, signal);
    if (response.ok) return response.json();
    const wait = Number(response.headers.get("retry-after"));
    if (patient && [429, 503].includes(response.status) && tried < PATIENCE) {
      await pause(Math.max(wait, 1), signal);
      continue;
    }
    throw new ServiceFault(await reason(response), response.status);
  }
}

/** Send a request and return the response, whatever its status. */
export async function sent(path, body, signal) {
  const headers = { "Content-Type": "application/json" };
  const key = sessionStorage.getItem(KEY);
  if (key) headers["X-API-Key"] = key;
  const method = body === undefined ? "GET" : "POST";
  const text = typeof body === "string" ? body : JSON.stringify(body);
  try {
    return await fetch(path, { method, headers, body: text, signal });
  } catch (fault) {
    if (fault.name === "AbortError") throw fault;
    throw new ServiceFault("The service does not answer. Is it running? Nothing you gave is lost; try again.");
  }
}

/** Return what a refusal says. */
export async function reason(response) {
  if (response.status === 401) document.getElementById("key-form").hidden = false;
  try {
    const said = (await response.json()).error;
    return `The service says: ${said.message ?? said}`;
  } catch {
    return `The service answered ${response.status}.`;
  }
}

function pause(seconds, signal) {
  return new Promise((done, failed) => {
    const timer = setTimeout(done, seconds * 1000);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      failed(new DOMException("stopped", "AbortError"));
    });
  });
}
