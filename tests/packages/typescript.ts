// The TypeScript package through faults.py, and its signatures.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { getEventListeners } from "node:events";
import { inspect } from "node:util";
import {
  Gateway,
  GatewayError,
  NotReadyError,
  ProblemError,
  SignatureError,
  body,
  receive,
  retryAfter,
  verify,
} from "eci-cache-gateway";

// Array.fromAsync, which Node 20 lacks.
async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

function signatures() {
  const content = '{"type":"webhook_endpoint.challenge","data":{"challenge":"c"}}';
  const key = Buffer.alloc(32, "k");
  const secret = `whsec_${key.toString("base64")}`;
  const now = 1_800_000_000_000;
  const made = createHmac("sha256", key).update(`m.1800000000.${content}`).digest("base64");
  const signature = `v1a,x v1,AAAA v1,${made}`;
  const good = { "Webhook-Id": "m", "webhook-timestamp": "1800000000", "webhook-signature": signature };
  const event = receive(secret, good, Buffer.from(content), now);
  assert(event.type === "webhook_endpoint.challenge" && event.data.challenge === "c");
  verify([`whsec_${Buffer.alloc(32, "o").toString("base64")}`, secret], new Headers(good), content, now + 299_000);
  const bad: [Record<string, string>, string, number][] = [
    [good, content + " ", now], [good, content, now + 301_000], [good, content, now - 301_000], [{}, content, now],
    [{ ...good, "webhook-signature": "v1," + "é".repeat(22) }, content, now],
    [{ ...good, "Webhook-Id": "n" }, content, now],
    [{ ...good, "webhook-timestamp": "NaN" }, content, now],
    [{ ...good, "webhook-signature": `v2,${made}` }, content, now],
  ];
  for (const [headers, text, at] of bad) assert.throws(() => verify(secret, headers, text, at), SignatureError);
  assert.throws(() => verify(secret, good, JSON.parse(content), now), TypeError);
}

async function strangers() {
  assert.equal(retryAfter("Wed, 21 Oct 2015 07:28:05 GMT", 1445412480000), 5000);
  assert.equal(retryAfter("120"), 120_000);
  for (const text of ["-1", "+5", "x"]) assert.equal(retryAfter(text), undefined);
  const secret = "token-that-nobody-sees";
  const nowhere = new Gateway({ url: "http://127.0.0.1:1", token: secret, retryFor: 0 });
  const error = await nowhere.api.GET("/v1/me").then(() => assert.fail(), (error) => error);
  assert(!(inspect(error, { depth: 9 }) + inspect(nowhere, { depth: 9 })).includes(secret));
  const same = async () => ({ items: [1], has_more: true, next_cursor: "a" });
  await assert.rejects(all(nowhere.pages(same)), GatewayError);
  // A cancelled wait ends at once, and leaves no listener behind.
  const control = new AbortController();
  const waiting = new Gateway({ url: "http://127.0.0.1:1", token: secret });
  const ended = assert.rejects(waiting.waitUntilReady("ic_1", { signal: control.signal }), { message: "enough" });
  control.abort(new Error("enough"));
  await ended;
  assert.equal(getEventListeners(control.signal, "abort").length, 0);
}

async function faults() {
  const gateway = new Gateway();
  const name = `package-typescript-${process.pid}-${Date.now()}`;
  await gateway.api.GET("/v1/me");
  await gateway.api.GET("/v1/policy");
  const wanted = { name, region: "cn-hangzhou", images: ["registry.example.com/team/typescript:1"] };
  const cache = await body(gateway.api.POST("/v1/image-caches", { body: wanted }));
  const page = (cursor?: string) =>
    body(gateway.api.GET("/v1/image-caches", { params: { query: { name, limit: 1, ...(cursor && { cursor }) } } }));
  assert.deepEqual((await all(gateway.pages(page))).map(({ id }) => id), [cache.id], "made twice");
  assert.equal((await gateway.waitUntilReady(cache.id, { timeout: 120_000 })).id, cache.id);
  const failed = await gateway.waitUntilReady(`${cache.id}~failed`).catch((error) => error);
  assert(failed instanceof NotReadyError && failed.cause === "registry_login" && failed.hint === "log in");
  const seen: string[] = [];
  const cursors: string[] = [];
  for await (const { event, cursor } of gateway.events({ imageCacheId: cache.id, timeout: 60_000 })) {
    seen.push(event.type);
    cursors.push(cursor);
    if (event.type === "image_cache.ready") break;
  }
  assert.deepEqual(seen, ["image_cache.created", "image_cache.ready"]);
  const again = await gateway.events({ cursor: cursors[0]!, imageCacheId: cache.id, timeout: 60_000 }).next();
  assert.equal(again.value?.event.type, "image_cache.ready");
  const wrong = { name, region: "cn-hangzhou", images: ["registry.example.com/Team/App:1"], size_gib: 1 };
  const problem = await gateway.api.POST("/v1/image-caches", { body: wrong }).catch((error) => error);
  assert(problem instanceof ProblemError && problem.requestId);
  assert.deepEqual(problem.pointers, ["/images/0", "/size_gib"]);
  assert.deepEqual(await (await fetch(`${gateway.url}/faults`)).json(), []);
}

signatures();
await strangers();
await faults();
console.log("faults, strangers and signatures passed");
