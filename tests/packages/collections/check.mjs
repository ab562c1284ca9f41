// Reads the collections with the libraries of Postman and Bruno, and sends what each says for two requests to ECG_URL.
//
//     node check.mjs openapi/collections
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import bruno from "@usebruno/lang";
import postman from "postman-collection";

const folder = process.argv[2];
const { ECG_URL: url, ECG_TOKEN: token } = process.env;
const filled = (text) => text.replaceAll("{{url}}", url).replaceAll("{{token}}", token);
const read = (name) => readFileSync(`${folder}/${name}`, "utf8");

async function send(method, address, body, authorization) {
  const headers = { authorization, ...(body && { "content-type": "application/json" }) };
  const answer = await fetch(filled(address), { method, headers, ...(body && { body }) });
  assert(answer.ok, `${method} ${address}: ${answer.status} ${await answer.text()}`);
}

const collection = new postman.Collection(JSON.parse(read("postman.json")));
const requests = [];
collection.forEachItem((item) => requests.push(item.request));
const bearer = (auth) => `Bearer ${filled(auth.parameters().get("token"))}`;
for (const [method, end] of [["GET", "/v1/me"], ["POST", "/v1/image-caches/dry-run"]]) {
  const found = requests.find((one) => one.method === method && one.url.getPath() === end);
  await send(method, `{{url}}${end}`, found.body?.raw, bearer(collection.auth));
}

const named = readdirSync(`${folder}/bruno`, { recursive: true }).filter((name) => /\/\w+\.bru$/.test(name));
const files = named.filter((name) => !name.startsWith("environments/"));
const parsed = files.map((name) => bruno.bruToJsonV2(read(`bruno/${name}`)));
const shared = bruno.collectionBruToJson(read("bruno/collection.bru"));
const secrets = bruno.bruToEnvJsonV2(read("bruno/environments/local.bru"));
assert.deepEqual(secrets.variables.map(({ name, secret }) => [name, secret]), [["url", false], ["token", true]]);
assert.equal(parsed.length, requests.length);
for (const id of ["get_me", "dry_run_image_cache"]) {
  const { http, body } = parsed.find(({ meta }) => meta.name === id);
  await send(http.method.toUpperCase(), http.url, body?.json, `Bearer ${filled(shared.auth.bearer.token)}`);
}
console.log(`collections: ${requests.length} requests in each, two of each sent`);
