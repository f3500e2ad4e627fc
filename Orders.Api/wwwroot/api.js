const timeoutMilliseconds = 30_000;
const attempts = 4;

/** What a service says when it does not do as it was asked (RFC 9457), or that it says nothing: status 0. */
export class Problem extends Error {
  constructor(status, body, retryAfter) {
    super(body.detail ?? body.title ?? (status === 0 ? "The service does not answer." : `The service answers ${status}.`));
    this.status = status;
    this.type = body.type ?? "";
    this.activeRegion = body.activeRegion ?? null;
    /** When it may be tried again, in seconds; null when that is not said. */
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed a moment later. */
  get mayPass() {
    return this.status === 429 || this.status === 0 || (this.status === 503 && this.activeRegion === null);
  }
}

export async function request(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(timeoutMilliseconds), ...options });
  } catch {
    throw new Problem(0, {}, null);
  }
  let body = null;
  try {
    body = await response.json();
  } catch {
    // Not every answer has one.
  }
  if (response.ok) return body;
  const seconds = Number.parseInt(response.headers.get("Retry-After") ?? "", 10);
  throw new Problem(response.status, body ?? {}, Number.isFinite(seconds) ? seconds : null);
}

/**
 * Places an order, and the same one again when the service asks to come again or the answer is lost: the key makes it one order
 * however often it is sent. onWait hears how long it has to wait, and why.
 */
export async function placeOrder(order, onWait) {
  const key = randomHex(16);
  for (let attempt = 1; ; attempt++) {
    try {
      return await request("/orders", {
        method: "POST",
        headers: { "Content-Type": "application/json", "Idempotency-Key": key },
        body: JSON.stringify(order),
      });
    } catch (problem) {
      if (!(problem instanceof Problem) || !problem.mayPass || attempt === attempts) throw problem;
      const seconds = Math.min(problem.retryAfter ?? attempt, 60);
      onWait?.(problem, seconds);
      await new Promise(resolve => setTimeout(resolve, seconds * 1000));
    }
  }
}

/** Not crypto.randomUUID, which a page has only at https or localhost. */
export function randomHex(bytes) {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), b => b.toString(16).padStart(2, "0")).join("");
}
