// A program over the client that @hey-api/openapi-ts makes, against a running gateway: ECG_URL and ECG_TOKEN say which.
// `ecg` is generated beside it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import { client } from "./ecg/client.gen.js";
import {
  createImageCache,
  createWebhookEndpoint,
  deleteImageCache,
  deleteWebhookEndpoint,
  listEvents,
  listImageCaches,
  streamEvents,
  testWebhookEndpoint,
  updateImageCache,
  waitForImageCache,
} from "./ecg/sdk.gen.js";
import type { Event, ImageCache, WebhookEndpoint } from "./ecg/types.gen.js";
import { receiver } from "./receiver.js";

const wanted = { name: "example-hey-api", region: "cn-hangzhou", images: ["registry.example.com/team/hey-api:1"] };

// What is refused with 429 is sent again, after the time that the answer asks for.
let refused = 0;
const patientFetch: typeof fetch = async (input, init) => {
  const request = new Request(input, init);
  for (;;) {
    const response = await fetch(request.clone());
    if (response.status !== 429) return response;
    refused += 1;
    await sleep(Number(response.headers.get("retry-after") ?? 1) * 1000);
  }
};
client.setConfig({
  baseUrl: process.env["ECG_URL"] as `${string}://${string}`,
  auth: process.env["ECG_TOKEN"],
  fetch: patientFetch,
});

/** A request that is repeated with its key, for want of an answer, creates nothing again. */
async function createTwiceWithOneKey(): Promise<ImageCache> {
  const request = { body: wanted, headers: { "Idempotency-Key": randomUUID() }, throwOnError: true } as const;
  const { data: first } = await createImageCache(request);
  const { data: again } = await createImageCache(request);
  assert.equal(again.id, first.id);
  return first;
}

/** One call waits for at most 55 s. What it returns says whether to go on, whatever the status is called. */
async function waitUntilReady(cache: ImageCache): Promise<void> {
  const request = { path: { image_cache_id: cache.id }, query: { wait_seconds: 30 }, throwOnError: true } as const;
  for (;;) {
    const { data: waited } = await waitForImageCache(request);
    if (waited.done) return assert(waited.condition_met, `it is ${waited.image_cache.status}`);
  }
}

/** `cache` is as the create returned it: it has become ready since. */
async function changeAnOldVersion(cache: ImageCache): Promise<void> {
  const path = { image_cache_id: cache.id };
  const headers = { "If-Match": `"v${cache.version}"` };
  const { error, response } = await updateImageCache({ path, headers, body: { retention_days: 30 } });
  assert.deepEqual([response?.status, error?.status], [412, 412]);
}

async function makeMistakes(): Promise<void> {
  const wrong = { ...wanted, images: ["registry.example.com/Team/App:1"], size_gib: 1 };
  const { error } = await createImageCache({ body: wrong });
  const pointers = error?.errors?.map((field) => field.pointer);
  assert.deepEqual([error?.status, pointers], [422, ["/images/0", "/size_gib"]]);
}

/** A team may test its endpoints 30 times at once, and then once a second. */
async function hurry(endpoint: WebhookEndpoint): Promise<void> {
  const path = { webhook_endpoint_id: endpoint.id };
  while (refused === 0) {
    const { data: test } = await testWebhookEndpoint({ path, throwOnError: true });
    assert.equal(test.outcome, "delivered", test.explanation);
  }
}

/** The feed has no gaps: its cursor says where the stream goes on, too. */
async function followTheFeed(cache: ImageCache): Promise<void> {
  const query = { image_cache_id: cache.id, limit: 1 };
  const { data: page } = await listEvents({ query, throwOnError: true });
  assert.equal(page.items[0]?.type, "image_cache.created");
  const ending = new AbortController();
  const { stream } = await streamEvents({ query: { cursor: page.next_cursor }, signal: ending.signal });
  for await (const message of stream) {
    // The client has read the JSON of each; the document cannot say of what type it is.
    const event = message as unknown as Event;
    if (event.type === "image_cache.ready" && event.data.image_cache?.id === cache.id) break;
  }
  ending.abort();
}

async function walkAllPagesAndRemove(cache: ImageCache): Promise<void> {
  const made = new Set([cache.id, (await createTwiceWithOneKey()).id, (await createTwiceWithOneKey()).id]);
  let cursor: string | undefined;
  do {
    const query = { name: wanted.name, limit: 2, ...(cursor && { cursor }) };
    const { data: page } = await listImageCaches({ query, throwOnError: true });
    for (const item of page.items) {
      if (!made.delete(item.id)) continue;
      await deleteImageCache({ path: { image_cache_id: item.id }, throwOnError: true });
    }
    cursor = page.next_cursor;
  } while (cursor);
  assert.equal(made.size, 0, "an image cache is on no page");
}

const ready = new Map<string, ImageCache>();
const { url, secret, close } = await receiver((cache) => ready.set(cache.id, cache));
const { data: endpoint } = await createWebhookEndpoint({
  body: { url, secret, event_types: ["image_cache.ready", "image_cache.failed"] },
  throwOnError: true,
});
const cache = await createTwiceWithOneKey();
await waitUntilReady(cache);
await changeAnOldVersion(cache);
await makeMistakes();
await hurry(endpoint);
await followTheFeed(cache);
while (!ready.has(cache.id)) await sleep(50);
assert(ready.get(cache.id)?.eci_cache_id);
await walkAllPagesAndRemove(cache);
await deleteWebhookEndpoint({ path: { webhook_endpoint_id: endpoint.id }, throwOnError: true });
close();
console.log("said all 8 things");
