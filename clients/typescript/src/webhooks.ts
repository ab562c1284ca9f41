// Webhooks as they arrive: verified by https://www.standardwebhooks.com, then read by their type.
import { createHmac, timingSafeEqual } from "node:crypto";
import { SignatureError } from "./errors.js";
import type { TypedEvent } from "./generated/facts.js";

export type { TypedEvent } from "./generated/facts.js";

/** The question to a new endpoint: answer 200 with `data.challenge` as the body. */
export interface Challenge {
  type: "webhook_endpoint.challenge";
  data: { challenge: string };
}

type HeaderSource = Headers | Record<string, string | string[] | undefined>;

const TOLERANCE_SECONDS = 300;

function header(headers: HeaderSource, name: string): string {
  if (headers instanceof Headers) return headers.get(name)?.trim() ?? "";
  const found = Object.entries(headers).find(([given]) => given.toLowerCase() === name)?.[1];
  return (Array.isArray(found) ? found.join(" ") : (found ?? "")).trim();
}

function keyOf(secret: string): Buffer {
  const text = secret.trim().replace(/^whsec_/, "");
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) throw new TypeError("the secret is not whsec_ and base64");
  return Buffer.from(text, "base64");
}

/**
 * Throws SignatureError unless the bytes of `body` were signed with one of `secrets` within five minutes. `body` is as
 * it arrived, never JSON written again. The same message may arrive twice: remember each `webhook-id` for four days.
 */
export function verify(
  secrets: string | string[], headers: HeaderSource, body: Uint8Array | string, now = Date.now(),
): void {
  if (typeof body !== "string" && !(body instanceof Uint8Array)) {
    throw new TypeError("body must be the bytes as they arrived");
  }
  const id = header(headers, "webhook-id");
  const timestamp = header(headers, "webhook-timestamp");
  if (!id || !/^\d{1,12}$/.test(timestamp)) {
    throw new SignatureError("webhook-id or webhook-timestamp is missing or malformed");
  }
  if (Math.abs(now / 1000 - Number(timestamp)) > TOLERANCE_SECONDS) {
    throw new SignatureError("webhook-timestamp is not within five minutes of now");
  }
  let found = false;
  for (const secret of Array.isArray(secrets) ? secrets : [secrets]) {
    const mac = createHmac("sha256", keyOf(secret)).update(`${id}.${timestamp}.`).update(body).digest("base64");
    const wanted = Buffer.from(`v1,${mac}`);
    for (const signature of header(headers, "webhook-signature").split(/\s+/)) {
      // Lengths are compared in bytes: timingSafeEqual throws where they differ.
      const given = Buffer.from(signature);
      if (given.length === wanted.length && timingSafeEqual(given, wanted)) found = true;
    }
  }
  if (!found) throw new SignatureError("no signature is by this secret");
}

/** Verifies, and gives the event: tell them apart by `type`, with a default for types of later versions. */
export function receive(
  secrets: string | string[], headers: HeaderSource, body: Uint8Array | string, now = Date.now(),
): TypedEvent | Challenge {
  verify(secrets, headers, body, now);
  return JSON.parse(typeof body === "string" ? body : new TextDecoder().decode(body)) as TypedEvent | Challenge;
}
