// The clients of the story, and how it calls an operation.

import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import type { components, operations, paths } from "./schema.js";

type Problem = components["schemas"]["Problem"];
type Operation = keyof operations;

/** The operations that were called, by their ids. */
export const called = new Set<Operation>();
/** A client that shows this token, if any. */
export const clientWith = (token?: string) =>
  createClient<paths>({
    baseUrl: environment("ECG_URL"),
    headers: token === undefined ? {} : { Authorization: `Bearer ${token}` },
  });
export const client = clientWith(environment("ECG_TOKEN"));
export const admin = clientWith(environment("ECG_ADMIN_TOKEN"));

export function environment(name: string): string {
  const value = process.env[name];
  assert(value, `${name} is not set`);
  return value;
}

/** Notes that the operation was called, and gives what it answered. Its name must be in the document: tsc says so. */
export async function call<T>(
  operation: Operation,
  answer: Promise<{ data?: T; error?: Problem; response: Response }>,
): Promise<T> {
  const { data, error, response } = await answer;
  called.add(operation);
  assert(response.ok, `${operation}: ${response.status} ${JSON.stringify(error)}`);
  return data as T;
}
