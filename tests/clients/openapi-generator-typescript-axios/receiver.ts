// Receives webhooks: verifies each, answers the challenge of a new endpoint, and passes on what is ready.

import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

import { Webhook } from "standardwebhooks";

import type { Event, ImageCache } from "./ecg/index.js";

type Challenge = { type: "webhook_endpoint.challenge"; data: { challenge: string } };

const isChallenge = (message: Event | Challenge): message is Challenge =>
  message.type === "webhook_endpoint.challenge";

/** Listens on a free port of this machine. */
export async function receiver(onReady: (cache: ImageCache) => void) {
  // The receiver has the secret before the gateway does, so that it can verify the challenge, too.
  const secret = `whsec_${randomBytes(32).toString("base64")}`;
  const webhook = new Webhook(secret);
  const server = createServer(async (request, response) => {
    try {
      response.end(handle(await verified(webhook, request), onReady));
    } catch (error) {
      response.writeHead(401).end(String(error));
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/webhooks`, secret, close: () => server.close() };
}

/** Whoever receives for long also remembers each webhook-id for four days, as a message may arrive twice. */
async function verified(webhook: Webhook, request: IncomingMessage): Promise<Event | Challenge> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return webhook.verify(Buffer.concat(chunks).toString(), request.headers as Record<string, string>) as Event;
}

function handle(message: Event | Challenge, onReady: (cache: ImageCache) => void): string {
  if (isChallenge(message)) return message.data.challenge;
  switch (message.type) {
    case "image_cache.ready":
      if (message.data.image_cache) onReady(message.data.image_cache);
      break;
    case "image_cache.failed":
      console.error(message.data.image_cache?.failure?.message);
      break;
    default:
    // Types that this program does not know are received, too: more are added with time.
  }
  return "";
}
