//! What the operations have in common: security, scopes, request headers, pages of lists, refusals.

use serde_json::{Map, Value, json};

use super::problem_codes::{BEFORE_ALL, Facts};
use crate::app::access::{self, Access, Repeats};
use crate::http::deprecation::DEPRECATED;

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// The order in which an operation reads best.
const ORDER: [&str; 12] = [
    "tags",
    "summary",
    "description",
    "operationId",
    "x-required-scopes",
    "x-audit-level",
    "x-problem-statuses",
    "x-problem-codes",
    "security",
    "parameters",
    "requestBody",
    "responses",
];

/// Completes every operation.
pub(super) fn complete(document: &mut Value) {
    document["components"]["securitySchemes"] = json!({"bearer": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "A token of an identity provider, with a team (claim `team`, or `teams` and the header \
                        `X-Team`) and scopes (claim `scope`); or an API key of a team (`ecg_…`), sent in the same way.",
    }});
    describe(document);
    let Some(Value::Object(paths)) = document.get_mut("paths") else { return };
    for (path, item) in paths {
        for method in METHODS {
            if let Some(Value::Object(operation)) = item.get_mut(method) {
                complete_one(path, operation);
                add_refusals(operation, path, method);
                *operation = ordered(operation);
            }
        }
    }
}

fn ordered(operation: &Map<String, Value>) -> Map<String, Value> {
    let known = ORDER.iter().filter_map(|key| operation.get_key_value(*key));
    let others = operation.iter().filter(|(key, _)| !ORDER.contains(&key.as_str()));
    known.chain(others).map(|(key, value)| (key.clone(), value.clone())).collect()
}

fn complete_one(path: &str, operation: &mut Map<String, Value>) {
    let id = operation["operationId"].as_str().unwrap_or_default().to_owned();
    let Some(access) = access::of(&id) else {
        // Open to all: it refuses only where the gateway itself is not well.
        operation.insert("security".into(), json!([]));
        if id == access::TOKEN_EXCHANGE {
            operation.insert("x-required-scopes".into(), json!([]));
            operation.insert("x-audit-level".into(), "change".into());
            let team = text("X-Team", "header", "The team to act for, if the rule allows several.");
            let key = key_of(Repeats::Reads).map(|detail| text("Idempotency-Key", "header", detail));
            add_parameters(operation, key.into_iter().chain([team]).collect());
        }
        return;
    };
    operation.insert("security".into(), json!([{"bearer": []}]));
    if DEPRECATED.iter().any(|one| one.operation == access.operation) {
        operation.insert("deprecated".into(), true.into());
    }
    let scopes: Vec<&str> = access.scopes.iter().map(|scope| scope.as_str()).collect();
    operation.insert("x-required-scopes".into(), json!(scopes));
    add_parameters(operation, parameters_of(access));
    // Metrics ask for a scope, but are none of the API: no audit entry, no team's rate.
    if path.starts_with("/v1/") {
        operation.insert("x-audit-level".into(), if access.changes { "change" } else { "read" }.into());
        add_headers(operation, access);
    }
}

/// The parameters that are not read by a handler's own query or path.
fn parameters_of(access: &Access) -> Vec<Value> {
    let mut found = Vec::new();
    if access.paged {
        found.push(json!({
            "name": "limit", "in": "query", "required": false,
            "description": "The maximum number of items to return: 1 to 100, 20 by default.",
            "schema": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100},
        }));
        // A place in the feed is the same with any filter.
        let bound = if access.operation == "list_events" { "" } else { " Use it with the same filters only." };
        found.push(text("cursor", "query", &format!("The `next_cursor` of the previous page.{bound}")));
    }
    match access.operation {
        "stream_events" | "stream_image_cache_events" => {
            let detail = "The id of the last event that was received. It takes precedence over `cursor`.";
            found.push(text("Last-Event-ID", "header", detail));
        }
        _ => {}
    }
    if access.etag && !access.changes {
        let detail = "An `ETag`. If it is still current, the response is 304.";
        found.push(text("If-None-Match", "header", detail));
    }
    if access.if_match {
        let detail = "An `ETag`. The request is refused with 412 unless it matches the current version.";
        found.push(text("If-Match", "header", detail));
    }
    if let Some(detail) = key_of(access.repeats) {
        found.push(text("Idempotency-Key", "header", detail));
    }
    if access.waits {
        let detail = "`wait=n`: how many seconds to wait for the cloud's answer, 0 to 55. Defaults to 10.";
        found.push(text("Prefer", "header", detail));
    }
    found.push(text("X-Team", "header", "The team to act for, if the token names several."));
    found
}

/// What an `Idempotency-Key` does; `None` where it is not a matter of the request.
fn key_of(repeats: Repeats) -> Option<&'static str> {
    match repeats {
        Repeats::ByNature => None,
        Repeats::Reads => Some("Accepted and ignored: the request changes nothing, so it can be repeated as it is."),
        Repeats::Operation => Some(
            "A unique key of 1 to 255 characters, kept for two days. A request that repeats it with an equivalent body \
             gets the same response, and nothing is done; with a different body it is refused.",
        ),
        Repeats::Transaction | Repeats::Stepwise => Some(
            "A unique key of 1 to 255 characters, kept for two days. If the same caller repeats the request with it, \
             they get the same response, and nothing is done; with a different path or body it is refused.",
        ),
        Repeats::Outside => Some(
            "A unique key of 1 to 255 characters, kept for two days. If the same caller repeats the request with it, \
             they get the same response, and nothing is done; with a different path or body it is refused. If the \
             first request was interrupted, the repeat is refused with 409 `idempotency_outcome_unknown`.",
        ),
    }
}

fn text(name: &str, place: &str, description: &str) -> Value {
    json!({
        "name": name, "in": place, "required": false, "description": description,
        "schema": {"type": "string"},
    })
}

fn add_parameters(operation: &mut Map<String, Value>, more: Vec<Value>) {
    let parameters = operation.entry("parameters").or_insert_with(|| json!([]));
    if let Value::Array(parameters) = parameters {
        parameters.extend(more);
    }
}

const POLICY: &str = "The team's rate limit: `\"team\";q=1000;w=5` means 1,000 requests in 5 s \
                      (draft-ietf-httpapi-ratelimit-headers).";
const RATE: &str = "What remains of the limit: `\"team\";r=990;t=1` means that 990 requests can be sent at once, \
                    and that the full limit is available again in 1 s.";
const REQUEST_ID: &str = "The id of the request: the one that the client sent, if it was valid, or else one that the \
                          gateway generated.";

/// Response headers of the successes.
fn add_headers(operation: &mut Map<String, Value>, access: &Access) {
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    if access.etag && !access.changes {
        let description = "The representation in `If-None-Match` is current.";
        responses.insert("304".to_owned(), json!({"description": description}));
    }
    for (status, response) in responses {
        let mut headers = Map::new();
        let mut add = |holds: bool, name: &str, description: &str| {
            if holds {
                headers.insert(name.into(), json!({"description": description, "schema": {"type": "string"}}));
            }
        };
        add(true, "X-Request-Id", REQUEST_ID);
        add(true, "RateLimit-Policy", POLICY);
        add(true, "RateLimit", RATE);
        let settled = matches!(status.as_str(), "200" | "201") || !access.waits;
        add(access.etag && settled, "ETag", "The version of the resource, for `If-Match`.");
        add(matches!(status.as_str(), "201" | "202"), "Location", "The URL of the resource to read next.");
        add(access.paged, "Link", "The URL of the next page, with `rel=\"next\"`.");
        add(access.waits, "Preference-Applied", "The part of `Prefer` that the gateway applied.");
        let (replayed, replay) = (access.repeats.takes_key(), access.repeats == Repeats::Operation);
        add(replayed, "Idempotent-Replayed", "`true` if this is the response to an earlier request with the same key.");
        let now = "On a replayed response: the current status of the image cache; see `ImageCache.status`.";
        add(replay, "Image-Cache-Status", now);
        add(replay, "Link", "On a replayed response: the current image cache, with `rel=\"latest-version\"`.");
        response["headers"] = Value::Object(headers);
    }
}

/// All refusals and failures are one response: a client has one type of error, and no copies of it.
fn add_refusals(operation: &mut Map<String, Value>, path: &str, method: &str) {
    let facts = Facts::of(path, method, operation);
    let (codes, statuses) = (facts.codes(), facts.statuses());
    operation.insert("x-problem-statuses".into(), json!(statuses));
    operation.insert("x-problem-codes".into(), codes.iter().map(|code| code.as_str()).collect());
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    let told: Vec<String> = statuses.iter().map(u16::to_string).collect();
    let (last, others) = told.split_last().map_or(("", &[][..]), |(last, others)| (last.as_str(), others));
    let wait = "The number of seconds to wait before trying again, with 409, 425, 429 and 503.";
    let challenge = "What a credential must have (RFC 6750), with 401 and 403.";
    responses.insert(
        "default".into(),
        json!({
            "description": format!("The request was refused or failed: {} or {last}.", others.join(", ")),
            "headers": {
                "Retry-After": {"description": wait, "schema": {"type": "integer", "format": "int32"}},
                "WWW-Authenticate": {"description": challenge, "schema": {"type": "string"}},
            },
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }),
    );
}

/// What the statuses of problems mean, for the description of the API.
const MEANINGS: [(u16, &str); 15] = [
    (400, "The body is not JSON, or a header is malformed."),
    (401, "The credential is missing or invalid."),
    (403, "The credential lacks a scope, the team's policy refuses the request, or the cloud does not permit it."),
    (404, "The resource does not exist, or it belongs to another team."),
    (408, "The body arrived too slowly."),
    (409, "The request conflicts with the current state."),
    (410, "What was asked for is no longer kept."),
    (412, "The resource has changed since the version in `If-Match`."),
    (413, "The body is too large."),
    (415, "The body has another media type than the operation takes."),
    (422, "Some fields are invalid, or the cloud refused the request; `errors` names the fields."),
    (425, "From the gate: the image cache is not usable yet; `expected_at` says when it is expected to be."),
    (429, "The team sends too many requests, has too many in progress, or has too many waiting."),
    (500, "The gateway failed to process the request."),
    (503, "The gateway is overloaded, or something that it depends on is temporarily unavailable."),
];

/// The description of the API, with what all operations have in common.
fn describe(document: &mut Value) {
    let rows: Vec<String> = MEANINGS.iter().map(|(status, meaning)| format!("| {status} | {meaning} |")).collect();
    let before = document["info"]["description"].as_str().unwrap_or_default();
    let any = BEFORE_ALL.map(|code| format!("`{}`", code.as_str())).join(", ");
    let told = format!(
        "{before}\n\n## Repeats\n\nEvery POST and PATCH takes an `Idempotency-Key`, so that it can be repeated after a \
         broken connection. PUT and DELETE are idempotent by nature: there the header is accepted and has no \
         effect.\n\n## Problems\n\nEvery refusal and failure is a `Problem` (RFC 9457): `code` says what happened, \
         `retryable` whether a program may repeat the request. `type` is the page that explains the code; \
         `/docs/problems` lists all of them. Each operation lists its own in `x-problem-codes`; any request can also \
         be refused with {any}. Statuses and codes may be added.\n\n| status | meaning |\n|---|---|\n{}",
        rows.join("\n")
    );
    document["info"]["description"] = told.into();
}
