// The client: made from the environment, over openapi-fetch and the types of the document.
import createClient, { type Client } from "openapi-fetch";
import { GatewayError, NotReadyError, WaitTimeoutError, type ImageCache } from "./errors.js";
import type { components, paths } from "./generated/schema.js";
import { pollUntil, retryingFetch, type RetryOptions } from "./retry.js";
import { exchangedToken, subjectOfEnvironment, type Subject } from "./tokens.js";

export * from "./errors.js";
export { retryAfter, type RetryOptions } from "./retry.js";
export { receive, verify, type Challenge, type TypedEvent } from "./webhooks.js";
export type { components, paths } from "./generated/schema.js";

export type Event = components["schemas"]["Event"];
type Page<T> = { items: T[]; has_more: boolean; next_cursor?: string };

export interface GatewayOptions extends RetryOptions {
  /** `ECG_URL`. */
  url?: string;
  /** `ECG_TOKEN`; without one, that of the job in GitHub Actions or GitLab CI is exchanged. */
  token?: string;
  /** Another source of tokens to exchange. */
  subject?: Subject;
  team?: string;
}

export interface WaitOptions {
  /** Milliseconds. */
  timeout?: number;
  signal?: AbortSignal;
}

export interface EventOptions extends WaitOptions {
  /** After which position to go on; the oldest that is kept by default. */
  cursor?: string;
  types?: string[];
  imageCacheId?: string;
}

const POLL_SECONDS = 50;

/** The body of an answer: `await body(gateway.api.GET(…))`. What is refused was thrown before. */
export async function body<T>(call: Promise<{ data?: T }>): Promise<NonNullable<T>> {
  const { data } = await call;
  if (data === undefined || data === null) throw new GatewayError("the answer has no body");
  return data;
}

/** A gateway, as one caller sees it. */
export class Gateway {
  readonly url: string;
  /** Each operation, typed: `gateway.api.GET("/v1/image-caches")`. Refusals are thrown as ProblemError. */
  readonly api: Client<paths>;
  readonly #fetch: (request: Request) => Promise<Response>;
  readonly #headers: Record<string, string>;

  constructor(options: GatewayOptions = {}) {
    const url = options.url ?? process.env.ECG_URL;
    if (!url) throw new GatewayError("ECG_URL is not set: the address of the gateway");
    this.url = url.replace(/\/+$/, "");
    this.#headers = options.team ? { "x-team": options.team } : {};
    this.#fetch = retryingFetch(this.#source(options), options);
    this.api = createClient<paths>({ baseUrl: this.url, fetch: this.#fetch, headers: this.#headers });
  }

  #source(options: GatewayOptions): () => Promise<string | undefined> {
    const token = options.subject ? undefined : (options.token ?? process.env.ECG_TOKEN);
    if (token) return async () => token;
    const subject = options.subject ?? subjectOfEnvironment();
    if (!subject) throw new GatewayError("ECG_TOKEN is not set, and this is no job with an id token");
    const open = retryingFetch(async () => undefined, options);
    const post = (form: URLSearchParams) =>
      open(new Request(`${this.url}/v1/token-exchange`, { method: "POST", body: form }));
    return exchangedToken(post, subject, options.team);
  }

  /**
   * All items of a list: `gateway.pages((cursor) => body(gateway.api.GET("…", { params: { query: { cursor } } })))`.
   */
  async *pages<T>(page: (cursor: string | undefined) => Promise<Page<T>>): AsyncGenerator<T, void, undefined> {
    const seen = new Set<string>();
    let cursor: string | undefined;
    for (;;) {
      const { items, has_more, next_cursor } = await page(cursor);
      yield* items;
      if (!has_more || next_cursor === undefined) return;
      if (seen.has(next_cursor)) throw new GatewayError("the list does not advance: the same cursor again");
      seen.add((cursor = next_cursor));
    }
  }

  /**
   * The image cache once it is ready. NotReadyError as soon as it cannot become so, WaitTimeoutError after `timeout`
   * (30 minutes); restarts and cuts of the gateway in between are waited out.
   */
  async waitUntilReady(id: string, { timeout = 1_800_000, signal }: WaitOptions = {}): Promise<ImageCache> {
    const until = Date.now() + timeout;
    while (Date.now() < until) {
      const query = new URLSearchParams({ wait_seconds: pollSeconds(until) });
      const path = `/v1/image-caches/${encodeURIComponent(id)}/wait`;
      const wait = await this.#poll<components["schemas"]["ImageCacheWait"]>(path, query, until, signal);
      if (!wait.done) continue;
      if (wait.condition_met) return wait.image_cache;
      throw new NotReadyError(wait.image_cache);
    }
    throw new WaitTimeoutError(`${id} is not ready after ${timeout} ms`);
  }

  /**
   * Each event of the feed with the cursor after it: keep it, and go on from there. It ends by `signal` or `timeout`.
   */
  async *events(options: EventOptions = {}): AsyncGenerator<{ event: Event; cursor: string }, void, undefined> {
    const until = Date.now() + (options.timeout ?? Infinity);
    let cursor = options.cursor;
    while (Date.now() < until) {
      // One event each, so that each has its cursor.
      const query = new URLSearchParams({ limit: "1", wait_seconds: pollSeconds(until) });
      for (const type of options.types ?? []) query.append("type", type);
      if (options.imageCacheId) query.set("image_cache_id", options.imageCacheId);
      if (cursor) query.set("cursor", cursor);
      const page = await this.#poll<components["schemas"]["EventList"]>("/v1/events", query, until, options.signal);
      cursor = page.next_cursor;
      for (const event of page.items) yield { event, cursor };
    }
  }

  async #poll<T>(path: string, query: URLSearchParams, until: number, signal?: AbortSignal): Promise<T> {
    const request = new Request(`${this.url}${path}?${query}`, { headers: this.#headers, signal: signal ?? null });
    try {
      return (await (await this.#fetch(pollUntil(request, until))).json()) as T;
    } catch (error) {
      signal?.throwIfAborted();
      if (error instanceof TypeError) throw new WaitTimeoutError(`no answer from ${this.url}`);
      throw error;
    }
  }
}

function pollSeconds(until: number): string {
  return String(Math.max(0, Math.min(POLL_SECONDS, Math.floor((until - Date.now()) / 1000))));
}
