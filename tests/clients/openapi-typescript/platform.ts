// The rooms of the story that are the platform's: teams and policies, cloud accounts, issuers of tokens.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";

import { admin, call, client, clientWith, environment } from "./calls.js";

// A key set as a provider publishes it; the key is that of RFC 7517, A.1.
const KEY_SET = {
  keys: [
    {
      kty: "EC",
      crv: "P-256",
      x: "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
      y: "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
    },
  ],
};

export async function keepPolicies(): Promise<void> {
  const id = `team-${randomUUID().slice(0, 8)}`;
  const params = { path: { team_id: id } };
  await call("create_team", admin.POST("/v1/teams", { body: { id, display_name: "Story" } }));
  const change = { cost_centre: "4711" };
  const changed = await call("update_team", admin.PATCH("/v1/teams/{team_id}", { params, body: change }));
  assert.equal(changed.cost_centre, "4711");
  assert.equal((await call("get_team", admin.GET("/v1/teams/{team_id}", { params }))).version, changed.version);
  const listed = await call("list_teams", admin.GET("/v1/teams", { params: { query: { limit: 100 } } }));
  assert(listed.items.length > 0, "no team");
  const { team } = await call("get_me", client.GET("/v1/me"));
  const costs = await call("list_team_costs", admin.GET("/v1/team-costs", { params: { query: { limit: 100 } } }));
  assert((costs.items.find((item) => item.team === team)?.used.image_caches ?? 0) > 0);
  const body = { max_size_gib: 100, registries: ["registry.example.com/team/*"] };
  const put = await call("put_team_policy", admin.PUT("/v1/teams/{team_id}/policy", { params, body }));
  assert.equal(put.source, "team");
  const kept = await call("get_team_policy", admin.GET("/v1/teams/{team_id}/policy", { params }));
  assert.equal(kept.policy.max_size_gib, 100);
  await call("delete_team_policy", admin.DELETE("/v1/teams/{team_id}/policy", { params }));
  const { policy } = await call("get_default_policy", admin.GET("/v1/default-policy"));
  const again = await call("put_default_policy", admin.PUT("/v1/default-policy", { body: policy }));
  assert.deepEqual(again.policy, policy);
  await fillInARegion();
  const own = await call("get_policy", client.GET("/v1/policy"));
  assert(own.used.image_caches !== undefined);
  const images = ["registry.example.com/team/try:1"];
  const wanted = { name: "try", region: "cn-hangzhou", images };
  const told = await call("dry_run_image_cache", client.POST("/v1/image-caches/dry-run", { body: wanted }));
  assert(told.allowed && told.image_cache.images[0] === images[0]);
}

async function fillInARegion(): Promise<void> {
  const place = "default:cn-nowhere-1";
  const path = "/v1/region-profiles/{region_profile_id}";
  const params = { path: { region_profile_id: place } };
  const body = { vswitch_ids: ["vsw-1"] };
  assert.equal((await call("put_region_profile", admin.PUT(path, { params, body }))).region, "cn-nowhere-1");
  assert.deepEqual((await call("get_region_profile", admin.GET(path, { params }))).vswitch_ids, ["vsw-1"]);
  const query = { limit: 100 };
  const listed = await call("list_region_profiles", admin.GET("/v1/region-profiles", { params: { query } }));
  assert(listed.items.some((item) => item.id === place));
  await call("delete_region_profile", admin.DELETE(path, { params }));
}

export async function keepCloudAccounts(): Promise<void> {
  const path = "/v1/cloud-accounts/{cloud_account_name}";
  const params = { path: { cloud_account_name: `story-${Date.now()}` } };
  const role = { arn: "acs:ram::1:role/story", external_id: "story" };
  const body = { access_key_id: "story", access_key_secret: "secret", role };
  const made = await call("put_cloud_account", admin.PUT(path, { params, body }));
  assert(made.managed_by === "api" && made.role?.has_external_id && made.usable);
  // Its secret and the external id stay, for the role is the same.
  const same = { access_key_id: "story", role: { arn: role.arn } };
  const changed = await call("put_cloud_account", admin.PUT(path, { params, body: same }));
  assert(changed.version === made.version + 1 && changed.usable);
  const off = await call("update_cloud_account", admin.PATCH(path, { params, body: { disabled: true } }));
  assert(off.version === made.version + 2 && off.disabled_at && !off.usable);
  assert((await call("get_cloud_account", admin.GET(path, { params }))).role?.has_external_id);
  const query = { limit: 100 };
  const listed = await call("list_cloud_accounts", admin.GET("/v1/cloud-accounts", { params: { query } }));
  assert(["api", "settings"].every((by) => listed.items.some((item) => item.managed_by === by)));
  await call("delete_cloud_account", admin.DELETE(path, { params }));
}

export async function keepIssuers(): Promise<void> {
  const name = `story-${randomUUID().slice(0, 8)}`;
  const match = { "/repository": ["story/app"] };
  const body = {
    name,
    issuer: `https://${name}.example.com`,
    audiences: ["eci-cache-gateway"],
    keys: { from: "document", document: KEY_SET },
    algorithms: ["ES256"],
    rules: [{ name: "app", match, team: { fixed: "demo" }, scopes: { fixed: ["read"] } }],
  };
  const path = "/v1/issuers/{issuer_name}";
  const params = { path: { issuer_name: name } };
  const made = await call("put_issuer", admin.PUT(path, { params, body }));
  assert.deepEqual([made.managed_by, made.document.keys?.document], ["api", KEY_SET]);
  const changed = await call("put_issuer", admin.PUT(path, { params, body: { ...body, leeway_seconds: 0 } }));
  assert.deepEqual([changed.version, changed.document.leeway_seconds], [made.version + 1, 0]);
  const kept = await call("get_issuer", admin.GET(path, { params }));
  assert.deepEqual([kept.document.rules[0]?.match, kept.document.keys?.from], [match, "document"]);
  const listed = await call("list_issuers", admin.GET("/v1/issuers", { params: { query: { limit: 100 } } }));
  assert(["api", "settings"].every((by) => listed.items.some((item) => item.managed_by === by)));
  await call("delete_issuer", admin.DELETE(path, { params }));
}

/** What the team's token becomes; and exchanged for one that may only read, that one. */
export async function exchangeTheToken(): Promise<void> {
  const token = environment("ECG_TOKEN");
  const explained = await call("explain_token", admin.POST("/v1/issuers/explain", { body: { token } }));
  assert(explained.accepted && explained.checks.every((check) => check.passed));
  const body = {
    grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
    subject_token: token,
    subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
    scope: "read",
  };
  // Without it the client would send JSON.
  const headers = { "Content-Type": "application/x-www-form-urlencoded" };
  const issued = await call("exchange_token", clientWith().POST("/v1/token-exchange", { body, headers }));
  assert.deepEqual([issued.token_type, issued.scope], ["Bearer", "read"]);
  const me = await call("get_me", clientWith(issued.access_token).GET("/v1/me"));
  assert.deepEqual([me.scopes, [me.team]], [["read"], explained.caller?.teams]);
}
