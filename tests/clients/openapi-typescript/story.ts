// The types that openapi-typescript makes of the 3.1 document, used through openapi-fetch against a running gateway.
//
// Arguments: the document. Environment: ECG_URL, ECG_TOKEN, ECG_ADMIN_TOKEN. `schema.d.ts` is generated
// beside this file.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";

import { admin, call, called, client } from "./calls.js";
import { exchangeTheToken, keepCloudAccounts, keepIssuers, keepPolicies } from "./platform.js";
import type { components } from "./schema.js";

type ImageCache = components["schemas"]["ImageCache"];

const ABSENT = "ic_00000000000000000000000000";
// Server-sent events never end by themselves, and this client reads an answer to its end before it gives it back: whoever
// listens uses an EventSource.
const STREAMS = ["stream_events", "stream_image_cache_events"];
const one = (id: string) => ({ params: { path: { image_cache_id: id } } });

async function waitUntilReady(id: string): Promise<ImageCache> {
  for (let turn = 0; turn < 12; turn += 1) {
    const params = { path: { image_cache_id: id }, query: { wait_seconds: 10 } };
    const waited = await call(
      "wait_for_image_cache",
      client.GET("/v1/image-caches/{image_cache_id}/wait", { params }),
    );
    if (waited.condition_met) return waited.image_cache;
  }
  throw new Error(`${id} is not ready after two minutes`);
}

async function findReadyEvent(id: string): Promise<components["schemas"]["Event"]> {
  const query = { type: ["image_cache.ready" as const], image_cache_id: id, wait_seconds: 10 };
  const page = await call("list_events", client.GET("/v1/events", { params: { query } }));
  const event = page.items[0];
  assert(event, `no image_cache.ready of ${id} in the feed`);
  assert.deepEqual([event.version, event.data.image_cache?.id, event.data.generation], [1, id, 1]);
  assert.equal(event.data.changed?.status?.to, "ready");
  return event;
}

async function followACache(endpoint: string): Promise<ImageCache> {
  const body = {
    name: "openapi-typescript",
    region: "cn-hangzhou",
    images: ["registry.example.com/team/app:1"],
  };
  const header = { "Idempotency-Key": randomUUID() };
  const cache = await call(
    "create_image_cache",
    client.POST("/v1/image-caches", { body, params: { header } }),
  );
  const path = { operation_id: cache.operation_id };
  const operation = await call("get_operation", client.GET("/v1/operations/{operation_id}", { params: { path } }));
  assert.equal(operation.image_cache_id, cache.id);
  const ofTeam = { team: operation.team, limit: 100 };
  const unended = await call("list_operations", admin.GET("/v1/operations", { params: { query: ofTeam } }));
  assert(unended.items.every((item) => item.team === operation.team));
  const ready = await waitUntilReady(cache.id);
  const waiting = { params: { path: { image_cache_id: cache.id }, query: { wait_seconds: 10 } } };
  const again = await call("get_image_cache", client.GET("/v1/image-caches/{image_cache_id}", waiting));
  assert.equal(again.eci_cache_id, ready.eci_cache_id);
  const { region, images } = body;
  const query = { image: images, region, wait_seconds: 10 };
  const gate = await call("check_gate", client.GET("/v1/gate", { params: { query } }));
  assert(gate.image_cache.eci_cache_id);
  const match = await call("match_image_caches", client.POST("/v1/matches", { body: { region, images } }));
  assert.equal(match.winner_id, cache.id);
  const ensured = await call("ensure_image_cache", client.POST("/v1/image-caches/ensure", { body }));
  assert(["joined", "reused"].includes(ensured.outcome) && ensured.image_cache.images[0] === images[0]);
  await doManyAtOnce(cache.id, body);
  await readTheLists(cache, endpoint);
  return cache;
}

async function doManyAtOnce(id: string, item: components["schemas"]["ImageCacheCreate"]): Promise<void> {
  const all = { body: { items: [item] } };
  const ensured = await call("batch_ensure_image_caches", client.POST("/v1/image-caches/batch-ensure", all));
  assert.equal(ensured.failed, 0);
  const two = { body: { ids: [id, ABSENT] } };
  const found = await call("batch_get_image_caches", client.POST("/v1/image-caches/batch-get", two));
  assert.deepEqual(found.items.map((verdict) => verdict.http_status), [200, 404]);
  const dry = { body: { ids: [id], dry_run: true } };
  const told = await call("batch_delete_image_caches", client.POST("/v1/image-caches/batch-delete", dry));
  assert.equal(told.items[0]?.http_status, 200);
}

async function readTheLists(cache: ImageCache, endpoint: string): Promise<void> {
  const query = { status: ["ready" as const], name: cache.name, limit: 100 };
  const listed = await call("list_image_caches", client.GET("/v1/image-caches", { params: { query } }));
  assert(listed.items.some((item) => item.id === cache.id));
  const record = await call(
    "get_provider_record",
    client.GET("/v1/image-caches/{image_cache_id}/provider-record", one(cache.id)),
  );
  assert(record.events.length > 0);
  const usage = await call(
    "list_usage",
    client.GET("/v1/usage", { params: { query: { region: cache.region } } }),
  );
  assert(usage.team_ready_image_caches > 0);
  const transitions = await call(
    "list_transitions",
    client.GET("/v1/image-caches/{image_cache_id}/transitions", one(cache.id)),
  );
  assert.equal(transitions.items.at(-1)?.to, "ready");
  const event = await findReadyEvent(cache.id);
  const deliveries = await call(
    "list_deliveries",
    client.GET("/v1/deliveries", { params: { query: { webhook_endpoint_id: endpoint } } }),
  );
  assert(deliveries.items.some((delivery) => delivery.event_id === event.id));
}

async function turnTheEndpoint(endpoint: components["schemas"]["WebhookEndpoint"]): Promise<void> {
  const params = { path: { webhook_endpoint_id: endpoint.id } };
  const changes = { rate_per_second: 50, name_pattern: "openapi-*" };
  const path = "/v1/webhook-endpoints/{webhook_endpoint_id}";
  const changed = await call("update_webhook_endpoint", client.PATCH(path, { params, body: changes }));
  assert.deepEqual([changed.rate_per_second, changed.name_pattern], [50, "openapi-*"]);
  const body = { keep_old_hours: 1 };
  const rotated = await call("rotate_webhook_secret", client.POST(`${path}/rotate-secret`, { params, body }));
  assert(rotated.secret && rotated.secret !== endpoint.secret && rotated.old_secret_until);
  const test = await call("test_webhook_endpoint", client.POST(`${path}/test`, { params }));
  assert.equal(test.outcome, "failed", "nobody is at that port");
  const verified = await call("verify_webhook_endpoint", client.POST(`${path}/verify`, { params }));
  assert(!verified.disabled, "it was verified before");
  assert((await call("pause_webhook_endpoint", client.POST(`${path}/pause`, { params }))).disabled);
  await sendADeliveryAgain(endpoint.id);
  const since = { created_after: endpoint.created_at };
  const recovered = await call("recover_webhook_endpoint", client.POST(`${path}/recover`, { params, body: since }));
  const replayed = await call("replay_webhook_endpoint", client.POST(`${path}/replay`, { params, body: since }));
  assert.deepEqual([recovered.deliveries, replayed.deliveries], [0, 0]);
  assert(!(await call("resume_webhook_endpoint", client.POST(`${path}/resume`, { params }))).disabled);
}

async function sendADeliveryAgain(endpoint: string): Promise<void> {
  const event_type = ["image_cache.ready" as const];
  const query = { webhook_endpoint_id: endpoint, status: "waiting" as const, event_type };
  const waiting = await call("list_deliveries", client.GET("/v1/deliveries", { params: { query } }));
  const delivery = waiting.items[0];
  assert(delivery, "nothing waits");
  const params = { path: { delivery_id: delivery.id } };
  const path = "/v1/deliveries/{delivery_id}";
  assert.equal((await call("get_delivery", client.GET(path, { params }))).event_id, delivery.event_id);
  const attempts = await call("list_delivery_attempts", client.GET(`${path}/attempts`, { params }));
  assert(attempts.items.length > 0, "no attempt");
  assert.equal((await call("resend_delivery", client.POST(`${path}/resend`, { params }))).status, "waiting");
}

async function tryAnAdoption(): Promise<void> {
  const body = { region: "cn-hangzhou", filter: {}, dry_run: true };
  const result = await call("adopt_image_caches", admin.POST("/v1/image-caches/adopt", { body }));
  assert(result.dry_run && result.adopted.every((item) => item.image_cache_id === undefined));
  const query = { region: body.region, limit: 100 };
  const found = await call("list_found_image_caches", admin.GET("/v1/found-image-caches", { params: { query } }));
  assert(found.items.every((item) => item.eci_cache_id && item.found_at));
}

async function turnAnAccessKey(): Promise<void> {
  const body = { description: "openapi-typescript", scopes: ["read" as const] };
  const key = await call("create_access_key", admin.POST("/v1/access-keys", { body }));
  assert(key.access_key_secret, "no secret");
  const listed = await call("list_access_keys", admin.GET("/v1/access-keys", { params: { query: { limit: 100 } } }));
  const again = listed.items.find((item) => item.id === key.id);
  assert(again && again.access_key_secret === undefined, "not in the list, or with its secret");
  const params = { path: { access_key_id: key.id } };
  await call("revoke_access_key", admin.DELETE("/v1/access-keys/{access_key_id}", { params }));
}

async function turnCredentials(): Promise<void> {
  const body = { description: "openapi-typescript", scopes: ["read" as const] };
  const access = await call("create_access_key", admin.POST("/v1/access-keys", { body }));
  const ofAccess = { path: { access_key_id: access.id } };
  const rotated = await call(
    "rotate_access_key",
    admin.POST("/v1/access-keys/{access_key_id}/rotate", { params: ofAccess, body: { keep_old_hours: 1 } }),
  );
  assert(rotated.access_key_secret !== access.access_key_secret && rotated.old_secret_until);
  await call("revoke_access_key", admin.DELETE("/v1/access-keys/{access_key_id}", { params: ofAccess }));
  const named = { name: "story", scopes: ["read" as const] };
  const key = await call("create_api_key", admin.POST("/v1/api-keys", { body: named }));
  assert(key.key?.startsWith("ecg_"), "no key");
  const params = { path: { api_key_id: key.id } };
  const turned = await call(
    "rotate_api_key",
    admin.POST("/v1/api-keys/{api_key_id}/rotate", { params, body: { keep_old_hours: 0 } }),
  );
  assert.notEqual(turned.key, key.key);
  const got = await call("get_api_key", admin.GET("/v1/api-keys/{api_key_id}", { params }));
  assert.equal(got.key, undefined);
  const query = { limit: 100 };
  const keys = await call("list_api_keys", admin.GET("/v1/api-keys", { params: { query } }));
  assert(keys.items.some((item) => item.id === key.id));
  await call("revoke_api_key", admin.DELETE("/v1/api-keys/{api_key_id}", { params }));
  const ofToken = { jti: "openapi-typescript", reason: "a story" };
  const revoked = await call("create_revocation", admin.POST("/v1/revocations", { body: ofToken }));
  const listed = await call("list_revocations", admin.GET("/v1/revocations", { params: { query } }));
  assert(listed.items.some((item) => item.id === revoked.id));
  const path = { revocation_id: revoked.id };
  await call("delete_revocation", admin.DELETE("/v1/revocations/{revocation_id}", { params: { path } }));
}

async function changeAndRemove(cache: ImageCache): Promise<void> {
  const body = { images: ["registry.example.com/team/app:2"] };
  const updated = await call(
    "update_image_cache",
    client.PATCH("/v1/image-caches/{image_cache_id}", { ...one(cache.id), body }),
  );
  assert.equal(updated.generation, cache.generation + 1);
  await waitUntilReady(cache.id);
  await call("delete_image_cache", client.DELETE("/v1/image-caches/{image_cache_id}", one(cache.id)));
}

async function readTheAudit(cache: ImageCache): Promise<void> {
  const query = { resource: cache.id, limit: 100 };
  const entries = await call("list_audit_entries", client.GET("/v1/audit-entries", { params: { query } }));
  const created = entries.items.find((entry) => entry.action === "create_image_cache");
  assert(created, "the create is not in the audit trail");
  const path = { audit_entry_id: created.id };
  const entry = await call("get_audit_entry", client.GET("/v1/audit-entries/{audit_entry_id}", { params: { path } }));
  assert.equal(entry.request_id, created.request_id);
  const exported = await call(
    "export_audit_entries",
    client.GET("/v1/audit-export", { params: { query: { format: "csv", resource: cache.id } }, parseAs: "text" }),
  );
  assert((exported as string).includes(created.id), "the create is not in the export");
  const proof = await call("get_audit_proof", client.GET("/v1/audit-entries/{audit_entry_id}/proof", { params: { path } }));
  assert(proof.leaf_index < proof.checkpoint.tree_size);
  const newest = await call(
    "list_audit_checkpoints",
    client.GET("/v1/audit-checkpoints", { params: { query: { limit: 1 } } }),
  );
  assert(newest.items[0] && newest.items[0].tree_size >= proof.checkpoint.tree_size);
  const consistency = await call(
    "get_audit_consistency",
    client.GET("/v1/audit-consistency", { params: { query: { first_size: 1 } } }),
  );
  assert.equal(consistency.first_size, 1);
}

async function removeTheEndpoint(id: string): Promise<void> {
  const listed = await call(
    "list_webhook_endpoints",
    client.GET("/v1/webhook-endpoints", { params: { query: { limit: 100 } } }),
  );
  assert(listed.items.some((item) => item.id === id));
  const params = { path: { webhook_endpoint_id: id } };
  const path = "/v1/webhook-endpoints/{webhook_endpoint_id}";
  assert.equal((await call("get_webhook_endpoint", client.GET(path, { params }))).id, id);
  await call("delete_webhook_endpoint", client.DELETE(path, { params }));
}

async function meetAnError(): Promise<void> {
  const { error, response } = await client.GET("/v1/image-caches/{image_cache_id}", one(ABSENT));
  assert.equal(response.status, 404);
  assert.equal(error?.status, 404);
  assert(error.code);
}

function report(document: string): void {
  const { paths } = JSON.parse(readFileSync(document, "utf8")) as {
    paths: Record<string, Record<string, { operationId?: string }>>;
  };
  const wanted = Object.entries(paths)
    .filter(([path]) => path.startsWith("/v1/"))
    .flatMap(([, item]) => Object.values(item).flatMap((operation) => operation.operationId ?? []))
    .filter((operation) => !STREAMS.includes(operation));
  assert.deepEqual([...called].sort(), wanted.sort(), "operations called, and those of the document");
  console.log(`${called.size} of ${wanted.length} operations called`);
}

assert((await call("get_me", client.GET("/v1/me"))).scopes.length > 0);
assert.notEqual((await call("list_regions", client.GET("/v1/regions"))).others_allowed, undefined);
const types = await call("list_event_types", client.GET("/v1/event-types"));
assert(types.items.some((type) => type.name === "image_cache.ready"));
const endpoint = await call(
  "create_webhook_endpoint",
  client.POST("/v1/webhook-endpoints", { body: { url: "http://127.0.0.1:9/", skip_challenge: true } }),
);
assert.match(endpoint.secret ?? "", /^whsec_/);
const cache = await followACache(endpoint.id);
await turnTheEndpoint(endpoint);
await tryAnAdoption();
await turnAnAccessKey();
await turnCredentials();
await keepPolicies();
await keepCloudAccounts();
await keepIssuers();
await exchangeTheToken();
await changeAndRemove(cache);
await readTheAudit(cache);
await removeTheEndpoint(endpoint.id);
await meetAnError();
report(process.argv[2] ?? "");
