// The life of an image cache, told to an SDK for Node.js against the gateway's RPC front; a module for each generation
// turns an action and its parameters, under the cloud's own names, into that SDK's request.
//
// Timeouts are left as the SDKs have them (3 s): an answer must come within. Environment: as in story.py.

import { randomUUID } from "node:crypto";

const REGION = "cn-beijing";
const PATIENCE_MS = 60_000;

export class Refused extends Error {
  constructor(code, status, message) {
    super(`${status} ${code}: ${message}`);
    Object.assign(this, { code, status });
  }
}

const front = {
  url: process.env.ECG_URL,
  keyId: process.env.ECG_ACCESS_KEY_ID,
  secret: process.env.ECG_ACCESS_KEY_SECRET,
};

function expect(holds, what) {
  if (!holds) throw new Error(`expected ${what}`);
}

async function refused(code, work) {
  try {
    var answer = await work();
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    expect(error.code === code && error.message, `${code}, got ${error.message}`);
    return error;
  }
  throw new Error(`expected ${code}, got ${JSON.stringify(answer)}`);
}

async function fault(what) {
  const url = `${process.env.ECG_STANDIN_URL}/_admin/faults`;
  const answer = await fetch(url, { method: "POST", body: JSON.stringify(what) });
  expect(answer.ok, `a fault, got ${answer.status}`);
}

function full(name) {
  return {
    RegionId: REGION,
    ImageCacheName: name,
    SecurityGroupId: "sg-uf66jeqopgqa9hdn0001",
    VSwitchId: "vsw-a,vsw-b",
    Image: ["nginx:1.27", "docker.io/library/redis:7"],
    ImageCacheSize: 30,
    RetentionDays: 7,
    AutoMatchImageCache: true,
    Flash: false,
    ImageRegistryCredential: [{ Server: "harbor.example.com", UserName: "u ser", Password: "p&ss=w+rd/*~" }],
    Tag: [{ Key: "story", Value: name }, { Key: "键", Value: "值 +*~/" }],
    EliminationStrategy: "LRU",
    ClientToken: randomUUID(),
  };
}

async function untilReady(call, cache) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const { ImageCaches: found } = await call("DescribeImageCaches", { RegionId: REGION, ImageCacheId: cache });
    expect(found.length === 1 && found[0].ImageCacheId === cache, `exactly ${cache}`);
    if (found[0].Status === "Ready") return found[0];
    expect(Date.now() < end, `${cache} to become Ready, it is ${found[0].Status}`);
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
}

async function live(call) {
  const name = `story-${randomUUID().slice(0, 8)}`;
  const create = full(name);
  await refused("DryRunOperation", () => call("CreateImageCache", { ...create, DryRun: true }, "as it is"));
  const made = await call("CreateImageCache", create);
  const cache = made.ImageCacheId;
  expect(cache.startsWith("imc-") && made.RequestId, `ids, got ${JSON.stringify(made)}`);
  expect((await call("CreateImageCache", create)).ImageCacheId === cache, "the same cache for the same token");
  await refused("IdempotentParameterMismatch", () => call("CreateImageCache", { ...create, ImageCacheSize: 40 }));
  const ready = await untilReady(call, cache);
  expect(JSON.stringify(ready.Images) === JSON.stringify(create.Image), "the images");
  const tags = Object.fromEntries(ready.Tags.map((tag) => [tag.Key, tag.Value]));
  expect(tags.story === name && tags["键"] === "值 +*~/", `the tags, got ${JSON.stringify(tags)}`);
  const usage = await call("ListUsage", { RegionId: REGION });
  expect(usage.Attributes.UsedImageCacheCount >= 1, "a quota");
  const target = { RegionId: REGION, ImageCacheId: cache };
  expect((await call("DeleteImageCache", target)).RequestId, "a delete");
  expect((await call("DescribeImageCaches", target)).ImageCaches.length === 0, "that it is no longer listed");
  const gone = await refused("InvalidParameter.NotFound", () => call("DeleteImageCache", target));
  expect([404, undefined].includes(gone.status), `HTTP 404, got ${gone.status}`);
}

async function errors(call, sdk) {
  const describe = { RegionId: REGION };
  await refused("SignatureDoesNotMatch", () => sdk({ ...front, secret: "wrong" })("DescribeImageCaches", describe));
  const nobody = sdk({ ...front, keyId: "LTAInobody" });
  const unknown = await refused("InvalidAccessKeyId.NotFound", () => nobody("DescribeImageCaches", describe));
  expect([403, undefined].includes(unknown.status), `HTTP 403, got ${unknown.status}`);
  const small = { RegionId: REGION, ImageCacheName: "small", Image: ["nginx:1.27"], ImageCacheSize: 19 };
  const wrong = await refused("InvalidParameter", () => call("CreateImageCache", small));
  expect(wrong.message.includes("ImageCacheSize"), "the parameter's name");
  // The cloud does not answer: the front says so before the SDK gives up by itself.
  await fault({ action: "CreateImageCache", kind: "hang" });
  await refused("ServiceUnavailable", () => call("CreateImageCache", { ...small, ImageCacheSize: 20 }));
}

export async function run(sdk) {
  const call = sdk(front);
  await live(call);
  await errors(call, sdk);
  console.log("  RPC front: as expected");
}
