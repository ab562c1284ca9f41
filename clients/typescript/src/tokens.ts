// Where the token comes from: given, or exchanged for that of the job, and renewed before it expires.
import { GatewayError } from "./errors.js";
import type { components } from "./generated/schema.js";

export type Subject = () => Promise<string>;

const AUDIENCE = "eci-cache-gateway";
const MARGIN_SECONDS = 120;

/** The id token of a job of GitHub Actions (`permissions: id-token: write`). */
export async function githubToken(): Promise<string> {
  const url = new URL(process.env.ACTIONS_ID_TOKEN_REQUEST_URL!);
  url.searchParams.set("audience", AUDIENCE);
  const headers = { authorization: `Bearer ${process.env.ACTIONS_ID_TOKEN_REQUEST_TOKEN}` };
  const answer = await fetch(url, { headers, signal: AbortSignal.timeout(30_000) });
  if (!answer.ok) throw new GatewayError(`GitHub gave no id token: ${answer.status}`);
  return ((await answer.json()) as { value: string }).value;
}

/** What gives the job's own token: GitHub's, or GitLab's `id_tokens` as `ECG_SUBJECT_TOKEN`. */
export function subjectOfEnvironment(): Subject | undefined {
  const env = process.env;
  if (env.ACTIONS_ID_TOKEN_REQUEST_URL && env.ACTIONS_ID_TOKEN_REQUEST_TOKEN) return githubToken;
  return env.ECG_SUBJECT_TOKEN ? async () => process.env.ECG_SUBJECT_TOKEN! : undefined;
}

/** Exchanges for a token of the gateway; whoever asks meanwhile waits for the same exchange. */
export function exchangedToken(post: (form: URLSearchParams) => Promise<Response>, subject: Subject, team?: string) {
  let current: Promise<string> | undefined;
  let until = 0;
  const exchange = async () => {
    const form = new URLSearchParams({
      grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
      subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
      subject_token: await subject(),
    });
    if (team) form.set("team", team);
    const asked = performance.now();
    const issued = (await (await post(form)).json()) as components["schemas"]["IssuedToken"];
    // By how long it lives and not when it ends: this machine's clock may be wrong.
    const life = issued.expires_in;
    until = asked + Math.max(life / 2, life - MARGIN_SECONDS) * 1000;
    return issued.access_token;
  };
  return (): Promise<string> => {
    if (!current || performance.now() >= until) {
      until = Infinity;
      current = exchange().catch((error) => {
        current = undefined;
        throw error;
      });
    }
    return current;
  };
}
