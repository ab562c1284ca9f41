//! The table of problem codes.

use super::Repeat;

problems! {
    // The request as such.
    /// The body is not JSON.
    MalformedJson = "malformed_json" [400] No "The body is not JSON":
        "Send a JSON object. `detail` says where the text ends to be JSON.";
    /// The connection closed before the body was complete.
    BrokenBody = "broken_body" [400] No "The body ended early":
        "Send as many bytes as `Content-Length` says, and keep the connection open until the response arrives.";
    /// A request header cannot be read; `errors` names it.
    MalformedHeader = "malformed_header" [400] No "A header is malformed":
        "Correct the header that `errors` names; `detail` says what is allowed.";
    /// The request line or the header section is not valid HTTP, or can be read in two ways.
    MalformedHead = "malformed_head" [400] No "The header section is malformed":
        "Look at what is between the client and the gateway; `detail` says what is wrong.";
    /// The request asks for a dry run with a header, and the operation has none.
    NoDryRun = "no_dry_run" [400] No "A dry run cannot be requested in this way":
        "Call `POST /v1/image-caches/dry-run`, or set `dry_run` in the body of an adoption.";
    /// The request cannot be served, and no other code says why.
    BadRequest = "bad_request" [400] No "The request cannot be served":
        "Compare the request with the API reference at `/docs`.";
    /// No route has this path.
    UnknownRoute = "unknown_route" [404] No "No such route":
        "Compare the path with the API reference at `/docs`.";
    /// The route exists, but not with this method.
    MethodNotAllowed = "method_not_allowed" [405] No "The method is not allowed":
        "Use a method that the response header `Allow` lists.";
    /// The body did not arrive completely in time.
    BodyTimeout = "body_timeout" [408] Yes "The body arrived too slowly":
        "Send the body faster, or in a smaller request.";
    /// The body is larger than allowed.
    BodyTooLarge = "body_too_large" [413] No "The body is too large":
        "Send a smaller body; `detail` names the limit.";
    /// The path and query are longer than allowed.
    UrlTooLong = "url_too_long" [414] No "The URL is too long":
        "Use fewer or shorter query parameters.";
    /// The body has a media type that the operation does not take.
    UnsupportedMediaType = "unsupported_media_type" [415] No "The media type is not supported":
        "Send `Content-Type: application/json`; a token exchange takes `application/x-www-form-urlencoded`.";
    /// The body is compressed with something other than gzip.
    UnsupportedContentEncoding = "unsupported_content_encoding" [415] No "The content coding is not supported":
        "Send the body uncompressed, or compressed once with gzip.";
    /// The body is not encoded as UTF-8.
    UnsupportedCharset = "unsupported_charset" [415] No "The character encoding is not supported":
        "Encode the body as UTF-8.";
    /// There are too many header fields, or they are too long.
    HeadTooLarge = "head_too_large" [431] No "The header section is too large":
        "Send fewer or shorter header fields; cookies are not needed.";
    /// Some fields or parameters are not allowed; `errors` names all of them.
    InvalidRequest = "invalid_request" [422] No "The request is invalid":
        "Correct every field in `errors`: `pointer` or `parameter` says which, `detail` what is allowed.";

    // The credential.
    /// The request has no credential, or not as a bearer token.
    TokenMissing = "token_missing" [401] No "No credential":
        "Send `Authorization: Bearer` with a token of an identity provider or an API key.";
    /// The token is longer than 8 KiB.
    TokenTooLong = "token_too_long" [401, 400] No "The token is too long":
        "Request a token with fewer claims from the issuer.";
    /// The credential is neither a well-formed JWT nor an API key.
    TokenMalformed = "token_malformed" [401, 400] No "The token is malformed":
        "Send the token exactly as the issuer returned it, once, and without quotation marks or line breaks.";
    /// The header of the token requires an extension that the gateway does not support.
    TokenUnsupportedHeader = "token_unsupported_header" [401, 400] No "The token has an unsupported header":
        "Configure the issuer to issue signed tokens without `crit`, `b64`, `zip`, `enc` and `cty`.";
    /// The type of the token is neither `JWT` nor `at+jwt`.
    TokenWrongType = "token_wrong_type" [401, 400] No "The token has the wrong type":
        "Send an access token or an ID token, not a refresh or logout token.";
    /// The signature algorithm of the token is not accepted for its key.
    TokenWrongAlgorithm = "token_wrong_algorithm" [401, 400] No "The token has the wrong algorithm":
        "Configure the issuer to sign with the algorithm that its published key names.";
    /// The issuer publishes no key with the `kid` of the token.
    TokenUnknownKey = "token_unknown_key" [401, 400] No "The token's key is unknown":
        "Request a new token. If new tokens are refused as well, compare `kid` with the keys at the issuer's JWKS URL.";
    /// The signature of the token does not verify.
    TokenBadSignature = "token_bad_signature" [401, 400] No "The token's signature is invalid":
        "Send the token exactly as the issuer returned it, or request a new one.";
    /// The token lacks a claim that the gateway needs; `detail` names it.
    TokenMissingClaim = "token_missing_claim" [401, 400] No "The token lacks a claim":
        "Configure the issuer to add the claim.";
    /// A claim of the token has the wrong type, is empty or too long; `detail` names it.
    TokenBadClaim = "token_bad_claim" [401, 400] No "A claim of the token cannot be used":
        "Configure the issuer to send the claim in the form that `detail` describes.";
    /// The token has expired.
    TokenExpired = "token_expired" [401, 400] No "The token has expired":
        "Request a new token.";
    /// The token is not valid yet: `nbf` or `iat` is in the future.
    TokenNotYetValid = "token_not_yet_valid" [401, 400] No "The token is not valid yet":
        "Synchronize the clock of the issuer with that of the gateway, or wait until the token is valid.";
    /// The token is valid for longer than the gateway allows.
    TokenLifetimeTooLong = "token_lifetime_too_long" [401, 400] No "The token's lifetime is too long":
        "Configure the issuer to issue tokens with a shorter lifetime.";
    /// The token is from an issuer that the gateway does not know.
    TokenWrongIssuer = "token_wrong_issuer" [401, 400] No "The token is from an unknown issuer":
        "Use a token of a known issuer, or ask an operator to add this one. The claim `iss` must match exactly.";
    /// The token is for a different audience.
    TokenWrongAudience = "token_wrong_audience" [401, 400] No "The token is for a different audience":
        "Request a token for this gateway from the issuer.";
    /// The token was revoked, or all tokens of its subject from before some time were.
    TokenRevoked = "token_revoked" [401, 400] No "The token was revoked":
        "Request a new token. If new tokens are refused as well, ask whoever made the revocation.";
    /// The rule of the issuer by which the gateway issued this token was changed or removed.
    RuleChanged = "rule_changed" [401, 400] No "The rule of the token was changed":
        "Exchange a new token at `POST /v1/token-exchange`.";
    /// The rule that matches the token finds no team in it.
    NoTeam = "no_team" [401, 400] No "The token names no team":
        "Ask an operator which claim the rule reads the team from; `POST /v1/issuers/explain` inspects a token.";
    /// The token names several teams, and the request does not say which one it is for.
    TeamRequired = "team_required" [401, 400] No "The request must name a team":
        "Send the header `X-Team` with one of the token's teams (`team` in a token exchange).";
    /// The credential is not for the team that the request names.
    WrongTeam = "wrong_team" [401, 400] No "The credential is for a different team":
        "Send the header `X-Team` with a team of the credential, or leave it out.";
    /// The API key is incomplete or mistyped: its checksum is wrong.
    ApiKeyMalformed = "api_key_malformed" [401] No "The API key is malformed":
        "Copy the whole key, from `ecg_` to its last character.";
    /// There is no such API key.
    ApiKeyUnknown = "api_key_unknown" [401] No "The API key is unknown":
        "Check that the key belongs to this gateway, or create a new one with `POST /v1/api-keys`.";
    /// The API key was revoked.
    ApiKeyRevoked = "api_key_revoked" [401] No "The API key was revoked":
        "Create a new key with `POST /v1/api-keys`.";
    /// The API key has expired, or it was rotated and this secret is the old one.
    ApiKeyExpired = "api_key_expired" [401] No "The API key has expired":
        "Use the secret of the last rotation, or create a new key with `POST /v1/api-keys`.";
    /// The keys of the token's issuer cannot be fetched, so the token cannot be verified.
    IssuerUnavailable = "issuer_unavailable" [503] Yes "The issuer's keys are unavailable":
        "Wait as long as `Retry-After` says. If it persists, an operator should look at the issuer's JWKS URL.";
    /// The token is valid, but no rule of its issuer matches it.
    NoRuleMatches = "no_rule_matches" [403] No "No rule matches the token":
        "Ask an operator to add a rule to the issuer; `POST /v1/issuers/explain` shows what the rules expect.";
    /// The credential lacks the scope that the operation requires.
    ScopeMissing = "scope_missing" [403] No "A scope is missing":
        "Use a credential with the scope that `detail` names.";
    /// The key to be rotated has scopes that the caller's credential lacks.
    KeyHasMoreScopes = "key_has_more_scopes" [403] No "The key has more scopes than your credential":
        "Use a credential with all of the key's scopes, or revoke the key and create a new one.";

    // The token exchange.
    /// The body of the token exchange is not a form.
    MalformedForm = "malformed_form" [400] No "The body is not a form":
        "Send the parameters as a form in the body, and none in the URL.";
    /// A parameter of the token exchange is missing; `detail` names it.
    MissingParameter = "missing_parameter" [400] No "A parameter is missing":
        "Send the parameter that `detail` names.";
    /// A parameter of the token exchange was sent more than once; `detail` names it.
    DuplicateParameter = "duplicate_parameter" [400] No "A parameter was sent more than once":
        "Send the parameter once.";
    /// The token exchange has a parameter that is not supported, such as `actor_token`.
    UnsupportedParameter = "unsupported_parameter" [400] No "A parameter is not supported":
        "Leave the parameter out.";
    /// `grant_type` is not that of a token exchange.
    UnsupportedGrantType = "unsupported_grant_type" [400] No "The grant type is not supported":
        "Send `grant_type=urn:ietf:params:oauth:grant-type:token-exchange`.";
    /// A token type of the exchange is not supported.
    UnsupportedTokenType = "unsupported_token_type" [400] No "The token type is not supported":
        "Send one of the types that `detail` lists.";
    /// The exchange asks for a token for something other than this gateway.
    InvalidTarget = "invalid_target" [400] No "The target is not this gateway":
        "Leave `audience` and `resource` out, or send a name of the gateway that `detail` lists.";
    /// The exchange asks for a scope that does not exist, or that the token does not grant.
    InvalidScope = "invalid_scope" [400] No "The scope cannot be granted":
        "Ask for scopes that the token grants, or leave `scope` out to get all of them.";
    /// The token cannot be exchanged: it is not a token that a rule of an issuer accepts.
    NotExchangeable = "not_exchangeable" [400] No "The token cannot be exchanged":
        "Exchange a token of an identity provider; API keys and exchanged tokens are used as they are.";
    /// `team` in the form and the header `X-Team` name different teams.
    TwoTeams = "two_teams" [400] No "Two different teams are named":
        "Send `team` or `X-Team`, or the same team in both.";

    // What the team may do.
    /// The team's policy refuses the request; `errors` names each field with the rule that refuses it.
    PolicyRefused = "policy_refused" [403] No "The team's policy refuses the request":
        "Request what `GET /v1/policy` allows, or ask whoever `contact` names to change the policy.";
    /// The team is disabled, so all its requests are refused.
    TeamDisabled = "team_disabled" [403] No "The team is disabled":
        "Ask whoever `contact` names to enable the team.";

    // Resources and their state.
    /// The resource does not exist, or it belongs to another team.
    NotFound = "not_found" [404] No "Not found":
        "Check the id and the team of the credential; lists show what exists.";
    /// The resource was changed by another request at the same time.
    ConcurrentChange = "concurrent_change" [409] No "The resource was changed at the same time":
        "Read the resource again, and repeat the change if it is still wanted.";
    /// The resource has changed since the version in `If-Match`, or exists although `If-None-Match` forbids it.
    PreconditionFailed = "precondition_failed" [412] No "The resource has changed":
        "Read the resource again and send `If-Match` with its new `ETag`.";
    /// The `Idempotency-Key` was used with a different request.
    IdempotencyKeyReused = "idempotency_key_reused" [422] No "The idempotency key was already used":
        "Use a new key for a new request, or the same body to repeat the earlier one.";
    /// The first request with this `Idempotency-Key` is still running.
    IdempotencyInFlight = "idempotency_in_flight" [409] Yes "The first request is still running":
        "Repeat the request with the same key, after as long as `Retry-After` says.";
    /// The first request with this `Idempotency-Key` was interrupted, and whether it was carried out is not known.
    IdempotencyOutcomeUnknown = "idempotency_outcome_unknown" [409] No "The outcome of the first request is unknown":
        "Look whether it was carried out. If it was not, send the request with another key.";
    /// Another operation on the image cache has not ended yet; `detail` names it.
    OperationInProgress = "operation_in_progress" [409] Yes "An operation is in progress":
        "Wait until the operation has ended, such as with `GET /v1/operations/{operation_id}`.";
    /// The status of the image cache does not allow an update.
    ImageCacheNotUpdatable = "image_cache_not_updatable" [409] No "The image cache cannot be updated":
        "Update an image cache only while it is `ready` or `update_failed`, or create a new one.";
    /// From the gate: an image cache with the images is being built.
    ImageCacheNotReady = "image_cache_not_ready" [425] Yes "The image cache is not usable yet":
        "Ask again; `expected_at` says when it is expected to be usable.";
    /// From the gate: the build of the image cache failed.
    ImageCacheFailed = "image_cache_failed" [409] No "The build failed":
        "Follow `hint`, then create the image cache again.";
    /// From the gate: no image cache of the team in the region contains all the images.
    NothingCached = "nothing_cached" [404] No "The images are not cached":
        "Create an image cache with `POST /v1/image-caches`; `POST /v1/matches` shows near misses.";
    /// The events after the cursor are no longer kept.
    EventsNoLongerKept = "events_no_longer_kept" [410] No "The events are no longer kept":
        "Continue without a cursor, and read the current state of the image caches again.";
    /// The audit entry is not sealed yet, or none is, so there is no proof.
    AuditEntryNotSealed = "audit_entry_not_sealed" [409] Yes "The audit entry is not sealed yet":
        "Ask again in a second or two.";
    /// A team with this id is already registered.
    TeamExists = "team_exists" [409] No "The team already exists":
        "Change the team with `PATCH /v1/teams/{team_id}`, or choose another id.";
    /// The cloud account is used by image caches or region profiles.
    CloudAccountInUse = "cloud_account_in_use" [409] No "The cloud account is in use":
        "Delete what uses it first, or disable the account.";
    /// The cloud account is defined in the gateway's settings.
    CloudAccountOfSettings = "cloud_account_of_settings" [409] No "The cloud account is defined in the settings":
        "Change it in the gateway's settings.";
    /// The cloud account is disabled, so nothing can be created or updated in it.
    CloudAccountDisabled = "cloud_account_disabled" [409] No "The cloud account is disabled":
        "Choose another cloud account, or ask the platform's administrators to enable it.";
    /// The access key belongs to a different cloud account than before.
    CloudAccountMismatch = "cloud_account_mismatch" [409] No "The access key belongs to a different account":
        "Use an access key of the account that `detail` names.";
    /// The cloud could not be asked to which account the access key belongs.
    CloudAccountUnasked = "cloud_account_unasked" [409] Yes "The account of the access key could not be verified":
        "Repeat the request when the cloud can be reached; `detail` says what prevented it.";
    /// The issuer is defined in the gateway's settings.
    IssuerOfSettings = "issuer_of_settings" [409] No "The issuer is defined in the settings":
        "Change it in the gateway's settings.";
    /// The webhook endpoint has not answered its challenge yet.
    WebhookEndpointPending = "webhook_endpoint_pending" [409] No "The webhook endpoint is not verified":
        "Verify it with `POST /v1/webhook-endpoints/{webhook_endpoint_id}/verify`.";
    /// The webhook endpoint was changed by another request while it was being tried.
    WebhookEndpointChanged = "webhook_endpoint_changed" [409] No "The webhook endpoint was changed at the same time":
        "Read the webhook endpoint again, and repeat the request if it is still wanted.";
    /// The webhook endpoint of the delivery was deleted.
    WebhookEndpointGone = "webhook_endpoint_gone" [409] No "The webhook endpoint was deleted":
        "Create a webhook endpoint, and replay the events to it.";
    /// The delivery is currently being sent.
    DeliveryInFlight = "delivery_in_flight" [409] No "The delivery is being sent":
        "Wait until the attempt has ended; `GET /v1/deliveries/{delivery_id}` shows it.";

    // Limits.
    /// There are as many issuers as there can be.
    TooManyIssuers = "too_many_issuers" [409] No "Too many issuers":
        "Delete an issuer first.";
    /// The team has as many access keys as it can have.
    TooManyAccessKeys = "too_many_access_keys" [409] No "Too many access keys":
        "Revoke an access key first.";
    /// The team has as many API keys as it can have.
    TooManyApiKeys = "too_many_api_keys" [409] No "Too many API keys":
        "Revoke an API key first.";
    /// There are as many revocations in force as there can be.
    TooManyRevocations = "too_many_revocations" [409] No "Too many revocations":
        "Revoke by subject instead, or delete revocations that are no longer needed.";
    /// The team has as many webhook endpoints as it can have.
    TooManyWebhookEndpoints = "too_many_webhook_endpoints" [409] No "Too many webhook endpoints":
        "Delete a webhook endpoint first.";
    /// The team sends more requests than its rate limit allows.
    RateLimited = "rate_limited" [429] Yes "Too many requests":
        "Wait as long as `Retry-After` says, and send requests less often.";
    /// The team has as many requests running as it can have.
    TooManyRequests = "too_many_requests" [429] Yes "Too many concurrent requests":
        "Send the next request when an earlier one has been answered.";
    /// The team has as many requests waiting as it can have.
    TooManyWaiting = "too_many_waiting" [429] Yes "Too many waiting requests":
        "End a wait that is no longer needed, or follow the events instead.";
    /// The team has as many event streams open on this gateway as it can have.
    TooManyStreams = "too_many_streams" [429] Yes "Too many event streams":
        "Close a stream that is no longer needed.";
    /// The team tests and verifies webhook endpoints too often, or this one is being tested already.
    TooManyTests = "too_many_tests" [429] Yes "Too many tests of webhook endpoints":
        "Wait as long as `Retry-After` says.";
    /// Too many requests from this address were refused for their credential.
    TooManyRefused = "too_many_refused" [429] Yes "Too many refused requests":
        "Correct the credential, then wait as long as `Retry-After` says.";
    /// Too many connections are open from this address.
    TooManyConnections = "too_many_connections" [429] Yes "Too many connections":
        "Reuse connections, and close those that are no longer needed.";

    // The cloud and the gateway.
    /// The cloud refused the request for good; `provider_code` is its own code, `cause` and `explanation` say why.
    CloudRefused = "cloud_refused" [422, 403, 409] Depends "The cloud refused the request":
        "Follow `hint`. `provider_request_id` is what the cloud's support asks for.";
    /// The cloud cannot be reached, or does not answer.
    CloudUnavailable = "cloud_unavailable" [503] Yes "The cloud is unavailable":
        "Wait as long as `Retry-After` says.";
    /// The gateway failed. Its log has the cause, under the request id.
    InternalError = "internal_error" [500] Yes "Internal error":
        "Repeat the request if it is safe. If it persists, give the operators the `request_id`.";
    /// The response was not ready in time; a change may have been made all the same.
    RequestTimeout = "request_timeout" [503] Yes "The request took too long":
        "Check whether the change was made, or repeat the request with the same `Idempotency-Key`.";
    /// The audit entry of the request could not be written, so the gateway does not answer.
    AuditUnavailable = "audit_unavailable" [503] Yes "The audit is unavailable":
        "Wait as long as `Retry-After` says. If it persists, an operator should look at the database.";
    /// The gateway has more requests than it can process; this one was not started.
    Overloaded = "overloaded" [503] Yes "The gateway is overloaded":
        "Wait as long as `Retry-After` says, and send requests less often.";
    /// The database is unavailable.
    DatabaseUnavailable = "database_unavailable" [503] Yes "The database is unavailable":
        "Wait as long as `Retry-After` says. If it persists, an operator should look at `/readyz`.";
    /// Credentials cannot be checked at the moment.
    CredentialsUnavailable = "credentials_unavailable" [503] Yes "Credentials cannot be checked":
        "Wait as long as `Retry-After` says.";
    /// The clocks of the database and of the gateway differ, so the validity of tokens cannot be judged.
    ClockInDoubt = "clock_in_doubt" [503] Yes "The clock is in doubt":
        "Wait as long as `Retry-After` says. If it persists, an operator should look at the time service.";
    /// The process that sends webhooks could not record that it is running, and restarts.
    DelivererLost = "deliverer_lost" [503] Yes "The deliverer is restarting":
        "Wait as long as `Retry-After` says.";
    /// A record was written by a different version of the gateway, and this one does not know all of it.
    RecordOfAnotherVersion = "record_of_another_version" [503] Yes "A record of a different version":
        "Repeat the request; during an upgrade another gateway may be able to answer.";
    /// From `/readyz`: something that the gateway needs is not in order; `detail` names it.
    NotReady = "not_ready" [503] Yes "Not ready":
        "Send requests elsewhere until `/readyz` answers 200.";
}
