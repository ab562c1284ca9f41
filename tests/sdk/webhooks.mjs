// Verifies the deliveries that webhooks.py recorded, with the `standardwebhooks` package from npm.
//
// Argument: the file. The package is looked for from the working directory.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { Webhook } = createRequire(`${process.cwd()}/`)("standardwebhooks");
const recorded = JSON.parse(readFileSync(process.argv[2], "utf8"));
assert(recorded.length > 0, "nothing was recorded");

for (const { secret, headers, body } of recorded) {
  const webhook = new Webhook(secret);
  const { type, data } = webhook.verify(body, headers);
  assert.throws(() => webhook.verify(`${body} `, headers), "verified in spite of another body");
  console.log(`verified ${type} of ${data.image_cache.id} (${headers["webhook-id"]})`);
}
