// A fetch that repeats what is safe to repeat, and throws what the gateway refuses.
import { GatewayError, ProblemError, type Problem } from "./errors.js";
import { keyed } from "./generated/facts.js";

export interface RetryOptions {
  /** Attempts of one request; 6. */
  attempts?: number;
  /** No waiting past this many milliseconds after the first attempt; 60,000. */
  retryFor?: number;
}

const IDEMPOTENT = new Set(["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]);
const REPEATED = new Set([429, 502, 503, 504]);
const ANSWER_MS = 30_000;
// Long timers of JavaScript end at once.
const LONGEST_TIMER = 2 ** 31 - 1;
// The requests of polls, and until when they are repeated.
const polls = new WeakMap<Request, number>();

/** Marks a request as one that is repeated until then, however often. */
export function pollUntil(request: Request, until: number): Request {
  polls.set(request, until);
  return request;
}

/** Milliseconds of a `Retry-After`, which is a number of seconds or a date. */
export function retryAfter(value: string | null, now = Date.now()): number | undefined {
  const text = (value ?? "").trim();
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const date = /^[A-Za-z]{3},? /.test(text) ? Date.parse(text) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}

/** Waits, or throws the signal's reason. No listener stays behind. */
export function pause(ms: number, signal?: AbortSignal | null): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const end = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, Math.min(ms, LONGEST_TIMER));
    signal?.addEventListener("abort", end, { once: true });
  });
}

function patience(request: Request): number {
  const url = new URL(request.url);
  const wait = url.searchParams.get("wait_seconds") ?? (url.pathname.endsWith("/wait") ? "30" : "0");
  const prefer = /wait=(\d+)/.exec(request.headers.get("prefer") ?? "")?.[1] ?? "0";
  return ANSWER_MS + Math.min(55, Math.max(Number(wait) || 0, Number(prefer))) * 1000;
}

function isSafe(method: string, url: string): boolean {
  const operation = `${method} ${new URL(url).pathname}`;
  return IDEMPOTENT.has(method) || keyed.some((pattern) => new RegExp(pattern).test(operation));
}

// Node says why in the cause of the cause: the connection was never made.
function isUnsent(error: unknown): boolean {
  const code = (error as { cause?: { code?: string } }).cause?.code ?? "";
  return ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "UND_ERR_CONNECT_TIMEOUT"].includes(code);
}

function mayRepeat(safe: boolean, status: number, problem: Partial<Problem>): boolean {
  if (!REPEATED.has(status) || problem.retryable === false) return false;
  // With a problem the gateway says that it did nothing; without, something in between gave up on it.
  return status === 429 || (status === 503 && problem.retryable === true) || safe;
}

async function problemOf(response: Response): Promise<Partial<Problem>> {
  const text = await response.text().catch(() => "");
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}

// One attempt, with its own limit of time. Answers of known length are read whole, so that a cut is an error here.
async function attemptOnce(request: Request, body: ArrayBuffer | undefined, token: string | undefined, ms: number) {
  const headers = new Headers(request.headers);
  if (token) headers.set("authorization", `Bearer ${token}`);
  const limit = new AbortController();
  const timer = setTimeout(() => limit.abort(new GatewayError("no answer in time")), Math.min(ms, LONGEST_TIMER));
  const forward = () => limit.abort(request.signal.reason);
  request.signal.addEventListener("abort", forward, { once: true });
  let streams = false;
  try {
    request.signal.throwIfAborted();
    // Redirects are answers: none of this API redirects, and the token is for this host.
    const init: RequestInit = { method: request.method, headers, signal: limit.signal, redirect: "manual" };
    const response = await fetch(request.url, body ? { ...init, body } : init);
    streams = !/json/.test(response.headers.get("content-type") ?? "json") && response.ok;
    if (streams || response.status === 204 || response.status === 304) return response;
    const { status, statusText, headers: given } = response;
    return new Response(await response.arrayBuffer(), { status, statusText, headers: given });
  } finally {
    clearTimeout(timer);
    if (!streams) request.signal.removeEventListener("abort", forward);
  }
}

/** A fetch for openapi-fetch. `token` is asked before each attempt. */
export function retryingFetch(
  token: () => Promise<string | undefined>,
  { attempts = 6, retryFor = 60_000 }: RetryOptions,
) {
  return async (request: Request): Promise<Response> => {
    if (["POST", "PATCH"].includes(request.method) && !request.headers.has("idempotency-key")) {
      request.headers.set("idempotency-key", crypto.randomUUID());
    }
    const body = request.body ? await request.arrayBuffer() : undefined;
    const polled = polls.get(request);
    const until = polled ?? Date.now() + retryFor;
    const safe = isSafe(request.method, request.url);
    for (let attempt = 1; ; attempt++) {
      let failed: unknown;
      let again: boolean;
      let delay = (0.5 + Math.random() / 2) * Math.min(8000, 250 * 2 ** attempt);
      const given = await token();
      try {
        const ms = polled === undefined ? patience(request) : Math.min(patience(request), until - Date.now());
        const response = await attemptOnce(request, body, given, Math.max(ms, 1000));
        if (response.status < 400) return response;
        const problem = await problemOf(response);
        failed = new ProblemError(response.status, problem);
        again = mayRepeat(safe, response.status, problem);
        const asked = retryAfter(response.headers.get("retry-after"));
        if (asked !== undefined) delay = asked + Math.random() * 250;
      } catch (error) {
        request.signal.throwIfAborted();
        failed = error;
        again = safe || isUnsent(error);
      }
      const spent = polled === undefined && attempt >= attempts;
      if (!again || spent || Date.now() + delay > until) throw failed;
      await pause(delay, request.signal);
    }
  };
}
