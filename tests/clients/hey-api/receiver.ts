// Receives webhooks: verifies each, answers the challenge of a new endpoint, and passes on what is ready.

import { randomBytes } from "node:crypto";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

import { Webhook } from "standardwebhooks";

import type { ImageCache, ImageCacheFailedEvent, ImageCacheReadyEvent } from "./ecg/types.gen.js";

// What this endpoint asked for; the type says what a message has besides.
type Message =
  | ImageCacheReadyEvent
  | ImageCacheFailedEvent
  | { type: "webhook_endpoint.challenge"; data: { challenge: string } };

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
async function verified(webhook: Webhook, request: IncomingMessage): Promise<Message> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return webhook.verify(Buffer.concat(chunks).toString(), request.headers as Record<string, string>) as Message;
}

function handle(message: Message, onReady: (cache: ImageCache) => void): string {
  switch (message.type) {
    case "webhook_endpoint.challenge":
      return message.data.challenge;
    case "image_cache.ready":
      onReady(message.data.image_cache);
      break;
    case "image_cache.failed":
      console.error(message.data.image_cache.failure?.message);
      break;
    default:
    // Types that this program does not know are received, too: more are added with time.
  }
  return "";
}
