// What goes wrong, as errors. None of them shows a token.
import type { components } from "./generated/schema.js";

export type Problem = components["schemas"]["Problem"];
export type ImageCache = components["schemas"]["ImageCache"];

/** Base of all errors of this package. */
export class GatewayError extends Error {
  override name = "GatewayError";
}

/** The gateway refused or failed a request; decide by `code`. What is no problem has the code `not_a_problem`. */
export class ProblemError extends GatewayError {
  override name = "ProblemError";
  readonly code: string;
  readonly requestId: string | undefined;
  readonly hint: string | undefined;
  readonly retryable: boolean;
  readonly pointers: string[];

  constructor(readonly status: number, readonly problem: Partial<Problem>) {
    const pointers = (problem.errors ?? []).flatMap((field) => (field.pointer ? [field.pointer] : []));
    const code = problem.code ?? "not_a_problem";
    const parts = [`${status} ${code}: ${problem.detail ?? ""}`, problem.hint, ...pointers].filter(Boolean);
    super(`${parts.join("; ")} (request ${problem.request_id})`);
    this.code = code;
    this.requestId = problem.request_id;
    this.hint = problem.hint;
    this.retryable = problem.retryable ?? false;
    this.pointers = pointers;
  }
}

/** The image cache cannot become ready without another request. */
export class NotReadyError extends GatewayError {
  override name = "NotReadyError";
  readonly cause: string | undefined;
  readonly hint: string | undefined;

  constructor(readonly imageCache: ImageCache) {
    const failure = imageCache.failure;
    const why = [failure?.cause, failure?.explanation, failure?.hint].filter(Boolean).join("; ");
    super(`${imageCache.id} is ${imageCache.status}${why && `: ${why}`}`);
    this.cause = failure?.cause;
    this.hint = failure?.hint;
  }
}

/** The time given for a wait is over. */
export class WaitTimeoutError extends GatewayError {
  override name = "WaitTimeoutError";
}

/** A webhook that is not to be trusted. */
export class SignatureError extends GatewayError {
  override name = "SignatureError";
}
