// The admin API, as this page calls it.

const BASE = "/api/v1/admin";
let csrf = null;

export class ApiError extends Error {
  /** `status` is 0 when there was no answer at all. */
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  /** Whether the same call may work later. */
  get passing() {
    return this.status === 0 || this.status >= 500 || this.status === 429;
  }
}

/** Makes one call and gives its JSON, or null; throws an ApiError. */
export async function call(method, path, body, options = {}) {
  const answer = await send(method, path, body, options);
  return answer.status === 204 ? null : answer.json();
}

/** Makes one call and gives the answer as it stands; throws an ApiError. */
export async function send(method, path, body, options = {}) {
  const headers = {};
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET" && csrf !== null) headers["X-Photogate-CSRF"] = csrf;
  let answer;
  try {
    answer = await fetch(BASE + path, {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      signal: options.keepalive ? undefined : AbortSignal.timeout(25000),
      ...options,
    });
  } catch {
    throw new ApiError(0, "the server does not answer");
  }
  if (answer.ok) return answer;
  let words = `the server answered ${answer.status}`;
  try {
    words = (await answer.json()).error ?? words;
  } catch {
    // No JSON: the number has to do.
  }
  throw new ApiError(answer.status, words);
}

/** Says who is signed in; throws an ApiError of 401 when nobody is. */
export async function whoAmI() {
  const session = await call("GET", "/session");
  csrf = session.csrf;
  return session;
}

export function pictureUrl(photoId, copy) {
  return `${BASE}/moderation/${encodeURIComponent(photoId)}/photo?copy=${copy}`;
}
