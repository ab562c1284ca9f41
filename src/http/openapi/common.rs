//! What the operations have in common: security, scopes, request headers, pages of lists, refusals.

use serde_json::{Map, Value, json};

use crate::app::access::{self, Access};

const METHODS: [&str; 5] = ["get", "post", "put", "patch", "delete"];
/// The order in which an operation reads best.
const ORDER: [&str; 10] = [
    "tags",
    "summary",
    "description",
    "operationId",
    "x-required-scopes",
    "x-audit-level",
    "security",
    "parameters",
    "requestBody",
    "responses",
];

/// Completes every operation.
pub(super) fn complete(document: &mut Value) {
    document["components"]["securitySchemes"] = json!({"bearer": {
        "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
        "description": "A token that names a team (claim `team`, or `teams` and the header `X-Team`) and scopes \
                        (claim `scope`).",
    }, "api_key": {
        "type": "http", "scheme": "bearer", "bearerFormat": "ecg_…",
        "description": "An API key of a team, sent as a token is: `Authorization: Bearer ecg_…`.",
    }});
    let Some(Value::Object(paths)) = document.get_mut("paths") else { return };
    for (path, item) in paths {
        for method in METHODS {
            if let Some(Value::Object(operation)) = item.get_mut(method) {
                complete_one(path, operation);
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
            let team = text("X-Team", "header", "The team to act for, where the rule gives several.");
            add_parameters(operation, vec![team]);
            add_refusals(operation, None, &[400, 403, 408, 413, 415, 429, 500, 503]);
            return;
        }
        add_refusals(operation, None, &[500, 503]);
        return;
    };
    operation.insert("security".into(), json!([{"bearer": []}, {"api_key": []}]));
    let scopes: Vec<&str> = access.scopes.iter().map(|scope| scope.as_str()).collect();
    operation.insert("x-required-scopes".into(), json!(scopes));
    add_parameters(operation, parameters_of(access));
    // Metrics ask for a scope, but are none of the API: no audit entry, no team's rate.
    if path.starts_with("/v1/") {
        operation.insert("x-audit-level".into(), if access.changes { "change" } else { "read" }.into());
        add_headers(operation, access);
    }
    add_refusals(operation, Some(access), &refusals_of(path, operation, access));
}

/// The parameters that are not read by a handler's own query or path.
fn parameters_of(access: &Access) -> Vec<Value> {
    let mut found = Vec::new();
    if access.paged {
        found.push(json!({
            "name": "limit", "in": "query", "required": false,
            "description": "How many items at most: 1 to 100, and 20 where nothing is asked.",
            "schema": {"type": "integer", "format": "int32", "minimum": 1, "maximum": 100},
        }));
        // A place in the feed is the same with any filter.
        let bound = if access.operation == "list_events" { "" } else { "; bound to the same filters" };
        found.push(text("cursor", "query", &format!("`next_cursor` of the page before{bound}.")));
    }
    if access.idempotent {
        let detail = "1 to 255 characters of your choice. A repetition with the same key and a body that means the \
                      same gets the same answer and creates nothing; with another body it is refused.";
        found.push(text("Idempotency-Key", "header", detail));
    }
    match access.operation {
        "get_image_cache" => {
            found.push(text("If-None-Match", "header", "An `ETag`: if it is still current, the answer is 304."));
        }
        "stream_events" | "stream_image_cache_events" => {
            let detail = "The id of the last event that was received; stands above `cursor`.";
            found.push(text("Last-Event-ID", "header", detail));
        }
        _ => {}
    }
    if access.if_match {
        found.push(text("If-Match", "header", "An `ETag`: refused with 412 unless it is still current."));
    }
    if access.waits {
        let detail = "`wait=n`: how many seconds to wait for the cloud's answer, 0 to 55; 10 where nothing is asked.";
        found.push(text("Prefer", "header", detail));
    }
    found.push(text("X-Team", "header", "The team to act for, where the token names several."));
    found
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

/// The statuses that are real for an operation.
fn refusals_of(path: &str, operation: &Map<String, Value>, access: &Access) -> Vec<u16> {
    let mut found = vec![401, 403, 429, 500, 503];
    let has_body = operation.contains_key("requestBody");
    let parameters = operation["parameters"].as_array();
    let takes = |key: &str, value: &str| parameters.into_iter().flatten().any(|parameter| parameter[key] == value);
    if path.contains('{') {
        found.push(404);
    }
    if access.operation == "check_gate" {
        found.extend([404, 409, 425]);
    }
    if has_body {
        found.extend([408, 413, 415]);
    }
    if has_body || access.if_match || takes("name", "Last-Event-ID") {
        found.push(400);
    }
    // A refusal of the cloud is 422 where nothing else fits.
    if has_body || takes("in", "query") || access.operation == "delete_image_cache" {
        found.push(422);
    }
    if access.conflicts {
        found.push(409);
    }
    if access.if_match {
        found.push(412);
    }
    found.sort_unstable();
    found
}

const POLICY: &str = "What the team may send: `\"team\";q=1000;w=5` is 1,000 requests in 5 s \
                      (draft-ietf-httpapi-ratelimit-headers).";
const RATE: &str = "What is left of it: `\"team\";r=990;t=1` is 990 requests at once, and all of them in 1 s.";

/// Response headers of the successes.
fn add_headers(operation: &mut Map<String, Value>, access: &Access) {
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for (status, response) in responses {
        let mut headers = Map::new();
        let mut add = |holds: bool, name: &str, description: &str| {
            if holds {
                headers.insert(name.into(), json!({"description": description, "schema": {"type": "string"}}));
            }
        };
        add(true, "X-Request-Id", "The request's id: yours if you sent a sane one.");
        add(true, "RateLimit-Policy", POLICY);
        add(true, "RateLimit", RATE);
        let settled = matches!(status.as_str(), "200" | "201") || !access.waits;
        add(access.etag && settled, "ETag", "The version, for `If-Match`.");
        add(matches!(status.as_str(), "201" | "202"), "Location", "Where to look next.");
        add(access.paged, "Link", "The next page, as `rel=\"next\"`.");
        add(access.waits, "Preference-Applied", "What was made of `Prefer`.");
        let replay = access.idempotent;
        add(replay, "Idempotent-Replayed", "`true` where this is the answer of an earlier request.");
        let now = "In such an answer: where the image cache stands by now; see `ImageCache.status`.";
        add(replay, "Image-Cache-Status", now);
        add(replay, "Link", "In such an answer: the image cache as it is now, as `rel=\"latest-version\"`.");
        response["headers"] = Value::Object(headers);
    }
}

fn add_refusals(operation: &mut Map<String, Value>, access: Option<&Access>, statuses: &[u16]) {
    let Some(Value::Object(responses)) = operation.get_mut("responses") else { return };
    for status in statuses {
        let mut response = json!({
            "description": meaning(access, *status),
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        });
        if matches!(status, 425 | 429 | 503) {
            response["headers"] = json!({"Retry-After": {
                "description": "After how many seconds to try again.",
                "schema": {"type": "integer", "format": "int32"},
            }});
        }
        responses.insert(status.to_string(), response);
    }
}

fn meaning(access: Option<&Access>, status: u16) -> &'static str {
    if access.is_some_and(|access| access.operation == "check_gate") {
        match status {
            404 => return "Nothing holds the images.",
            409 => return "The image cache that holds them has failed; `cause` and `hint` say why.",
            425 => return "Not yet; `expected_at` says when.",
            _ => {}
        }
    }
    if access.is_none() {
        match status {
            400 => {
                return "A parameter is missing or wrong, or the subject token cannot be exchanged; `error` says which.";
            }
            403 => return "No rule of the issuer matches the subject token, or its team is disabled.",
            415 => return "The body is no form (`application/x-www-form-urlencoded`).",
            429 => return "Too many requests of this address were refused, or the team sends too many.",
            _ => {}
        }
    }
    match status {
        400 => "The body is not JSON, or a header is malformed.",
        401 => "There is no credential, or it is not good.",
        403 => "The credential lacks a scope, the team's policy refuses, or the cloud does not permit it.",
        404 => "There is no such thing, or it belongs to another team.",
        408 => "The body came too slowly.",
        409 => "It is not possible in the present state.",
        412 => "It has changed since `If-Match`.",
        413 => "The body is too large.",
        415 => "The body is not `application/json`.",
        422 => "Fields are not allowed, or the cloud refused the request; `errors` names the fields.",
        429 => "The team sends too many requests, has too many in hand, or too many wait.",
        503 => "The gateway has too much to do, or something that it needs is not available at the moment.",
        _ => "The gateway failed.",
    }
}
