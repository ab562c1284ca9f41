// A program over the client that openapi-generator makes for TypeScript with axios, against a running gateway: ECG_URL
// and ECG_TOKEN say which. `ecg` is generated beside it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import axios, { isAxiosError } from "axios";

import {
  Configuration,
  EventsApi,
  EventTypeName,
  type ImageCache,
  ImageCachesApi,
  type Problem,
  type WebhookEndpoint,
  WebhooksApi,
} from "./ecg/index.js";
import { receiver } from "./receiver.js";

const basePath = process.env["ECG_URL"] ?? "";
const configuration = new Configuration({ basePath, accessToken: process.env["ECG_TOKEN"] ?? "" });
const http = axios.create();
const caches = new ImageCachesApi(configuration, basePath, http);
const events = new EventsApi(configuration, basePath, http);
const webhooks = new WebhooksApi(configuration, basePath, http);
const wanted = { name: "example-axios", region: "cn-hangzhou", images: ["registry.example.com/team/axios:1"] };

// What is refused with 429 is sent again, after the time that the answer asks for.
let refused = 0;
http.interceptors.response.use(undefined, async (error: unknown) => {
  if (!isAxiosError(error) || error.response?.status !== 429 || !error.config) throw error;
  refused += 1;
  await sleep(Number(error.response.headers["retry-after"] ?? 1) * 1000);
  return http.request(error.config);
});

/** A request that is repeated with its key, for want of an answer, creates nothing again. */
async function createTwiceWithOneKey(): Promise<ImageCache> {
  const request = { imageCacheCreate: wanted, idempotencyKey: randomUUID() };
  const { data: first } = await caches.createImageCache(request);
  const { data: again } = await caches.createImageCache(request);
  assert.equal(again.id, first.id);
  return first;
}

/** One call waits for at most 55 s. What it returns says whether to go on, whatever the status is called. */
async function waitUntilReady(cache: ImageCache): Promise<void> {
  for (;;) {
    const { data: waited } = await caches.waitForImageCache({ imageCacheId: cache.id, waitSeconds: 30 });
    if (waited.done) return assert(waited.condition_met, `it is ${waited.image_cache.status}`);
  }
}

/** `cache` is as the create returned it: it has become ready since. */
async function changeAnOldVersion(cache: ImageCache): Promise<void> {
  const request = {
    imageCacheId: cache.id,
    ifMatch: `"v${cache.version}"`,
    imageCacheUpdate: { retention_days: 30 },
  };
  const problem = await problemOf(caches.updateImageCache(request));
  assert.equal(problem.status, 412);
}

async function makeMistakes(): Promise<void> {
  const wrong = { ...wanted, images: ["registry.example.com/Team/App:1"], size_gib: 1 };
  const problem = await problemOf(caches.createImageCache({ imageCacheCreate: wrong }));
  const pointers = problem.errors?.map((field) => field.pointer);
  assert.deepEqual([problem.status, pointers], [422, ["/images/0", "/size_gib"]]);
}

/** A team may test its endpoints 30 times at once, and then once a second. */
async function hurry(endpoint: WebhookEndpoint): Promise<void> {
  while (refused === 0) {
    const { data: test } = await webhooks.testWebhookEndpoint({ webhookEndpointId: endpoint.id });
    assert.equal(test.outcome, "delivered", test.explanation);
  }
}

/** The feed has no gaps: keep its cursor and go on from there. */
async function followTheFeed(cache: ImageCache): Promise<void> {
  let query: Parameters<EventsApi["listEvents"]>[0] = { imageCacheId: cache.id, waitSeconds: 30, limit: 1 };
  for (;;) {
    const { data: page } = await events.listEvents(query);
    const event = page.items.find((item) => item.type === "image_cache.ready");
    if (event) return assert.equal(event.data.image_cache?.id, cache.id);
    query = { ...query, cursor: page.next_cursor };
  }
}

async function walkAllPagesAndRemove(cache: ImageCache): Promise<void> {
  const made = new Set([cache.id, (await createTwiceWithOneKey()).id, (await createTwiceWithOneKey()).id]);
  let cursor: string | undefined;
  do {
    const query = { name: wanted.name, limit: 2, ...(cursor && { cursor }) };
    const { data: page } = await caches.listImageCaches(query);
    for (const item of page.items) {
      if (!made.delete(item.id)) continue;
      await caches.deleteImageCache({ imageCacheId: item.id });
    }
    cursor = page.next_cursor;
  } while (cursor);
  assert.equal(made.size, 0, "an image cache is on no page");
}

/** What a refused call was answered: every refusal of the gateway is a Problem. */
async function problemOf(call: Promise<unknown>): Promise<Problem> {
  const error: unknown = await call.then(() => undefined, (reason: unknown) => reason);
  assert(isAxiosError<Problem>(error) && error.response, "it was not refused");
  return error.response.data;
}

const ready = new Map<string, ImageCache>();
const { url, secret, close } = await receiver((cache) => ready.set(cache.id, cache));
const eventTypes = [EventTypeName.ImageCacheReady, EventTypeName.ImageCacheFailed];
const webhookEndpointCreate = { url, secret, event_types: eventTypes };
const { data: endpoint } = await webhooks.createWebhookEndpoint({ webhookEndpointCreate });
const cache = await createTwiceWithOneKey();
await waitUntilReady(cache);
await changeAnOldVersion(cache);
await makeMistakes();
await hurry(endpoint);
await followTheFeed(cache);
while (!ready.has(cache.id)) await sleep(50);
assert(ready.get(cache.id)?.eci_cache_id);
await walkAllPagesAndRemove(cache);
await webhooks.deleteWebhookEndpoint({ webhookEndpointId: endpoint.id });
close();
console.log("said all 8 things");
