//! Which problems an operation answers with: for each code whether it can occur there, by what is known of the
//! operation.
//!
//! What must stay true: each code of the table is judged here; tests compare every answer that they get.
//! Some are answered before it is known which operation was meant, and stand at none: [`BEFORE_ALL`].

use serde_json::{Map, Value};

use crate::app::access::{self, Access, Repeats};
use crate::domain::problem::Code;

/// What any request can be refused with, before its operation is known.
pub(super) const BEFORE_ALL: [Code; 7] = [
    Code::MalformedHead,
    Code::HeadTooLarge,
    Code::UrlTooLong,
    Code::TooManyConnections,
    Code::UnknownRoute,
    Code::MethodNotAllowed,
    Code::BadRequest,
];

const CHANGES_OF_CACHES: &[&str] =
    &["create_image_cache", "ensure_image_cache", "update_image_cache", "delete_image_cache"];
const FEEDS: &[&str] = &["list_events", "stream_events", "stream_image_cache_events"];
const STREAMS: &[&str] = &["stream_events", "stream_image_cache_events"];
/// What can wait for something to happen.
const WAITS: &[&str] = &["wait_for_image_cache", "check_gate", "list_events", "export_audit_entries"];
/// What needs an account at the cloud that takes something new.
const IN_ACCOUNTS: &[&str] = &[
    "create_image_cache",
    "ensure_image_cache",
    "dry_run_image_cache",
    "update_image_cache",
    "adopt_image_caches",
    "list_usage",
];
const JUDGED_BY_POLICY: &[&str] =
    &["create_image_cache", "ensure_image_cache", "dry_run_image_cache", "update_image_cache"];
/// What is changed by version: somebody else may be faster.
const VERSIONED: &[&str] = &[
    "update_image_cache",
    "delete_image_cache",
    "update_team",
    "put_team_policy",
    "delete_team_policy",
    "put_default_policy",
    "put_region_profile",
    "put_cloud_account",
    "update_cloud_account",
    "put_issuer",
    "delete_issuer",
];
/// What only a verified endpoint is used for.
const OF_VERIFIED_ENDPOINTS: &[&str] = &[
    "test_webhook_endpoint",
    "pause_webhook_endpoint",
    "resume_webhook_endpoint",
    "recover_webhook_endpoint",
    "replay_webhook_endpoint",
];
const CHANGES_OF_ENDPOINTS: &[&str] = &["update_webhook_endpoint", "verify_webhook_endpoint", "rotate_webhook_secret"];
const TRIALS: &[&str] =
    &["create_webhook_endpoint", "update_webhook_endpoint", "verify_webhook_endpoint", "test_webhook_endpoint"];

/// What is known of an operation.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub(super) struct Facts<'a> {
    id: &'a str,
    access: Option<&'static Access>,
    path: &'a str,
    is_get: bool,
    has_body: bool,
    has_query: bool,
    takes_last_event_id: bool,
}

impl<'a> Facts<'a> {
    /// Of an operation whose parameters are complete.
    pub(super) fn of(path: &'a str, method: &str, operation: &'a Map<String, Value>) -> Self {
        let id = operation["operationId"].as_str().unwrap_or_default();
        let parameters = operation.get("parameters").and_then(Value::as_array);
        let takes = |key: &str, value: &str| parameters.into_iter().flatten().any(|one| one[key] == value);
        Self {
            id,
            access: access::of(id),
            path,
            is_get: method == "get",
            has_body: operation.contains_key("requestBody"),
            has_query: takes("in", "query"),
            takes_last_event_id: takes("name", "Last-Event-ID"),
        }
    }

    /// The codes that it can answer with, in the order of their table.
    pub(super) fn codes(&self) -> Vec<Code> {
        Code::ALL.into_iter().filter(|code| self.can_answer(*code)).collect()
    }

    /// The statuses of these codes, in order.
    pub(super) fn statuses(&self) -> Vec<u16> {
        let mut found: Vec<u16> = self.codes().into_iter().flat_map(|code| self.statuses_of(code)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// A token that is exchanged is no credential of the request, but a part of it: 400 (RFC 6749, 5.2).
    fn statuses_of(&self, code: Code) -> Vec<u16> {
        let all = code.statuses();
        let not_here = if self.is_exchange() { 401 } else { 400 };
        all.iter().copied().filter(|status| *status != not_here || all.len() == 1).collect()
    }

    fn is_exchange(&self) -> bool {
        self.id == access::TOKEN_EXCHANGE
    }

    /// Whether it belongs to the API: it is audited, and has its place in line.
    fn is_api(&self) -> bool {
        self.path.starts_with("/v1/")
    }

    fn is_one_of(&self, operations: &[&str]) -> bool {
        operations.contains(&self.id)
    }

    fn may_be_the_teams(&self) -> bool {
        let of_team = |access: &Access| access.scopes.is_empty() || access.scopes.iter().any(|one| !one.is_platforms());
        self.is_exchange() || self.access.is_some_and(of_team)
    }

    fn can_answer(&self, code: Code) -> bool {
        let judges = [
            Self::of_request as fn(&Self, Code) -> Option<bool>,
            Self::of_credential,
            Self::of_state,
            Self::of_limits,
            Self::of_gateway,
        ];
        judges.iter().find_map(|judge| judge(self, code)).unwrap_or(false)
    }

    fn of_request(&self, code: Code) -> Option<bool> {
        Some(match code {
            Code::BrokenBody | Code::BodyTimeout | Code::BodyTooLarge | Code::UnsupportedMediaType => self.has_body,
            Code::MalformedJson | Code::UnsupportedContentEncoding | Code::UnsupportedCharset => {
                self.has_body && !self.is_exchange()
            }
            // Any change refuses a dry run that it does not have.
            Code::MalformedHeader => self.is_api() && (!self.is_get || self.takes_last_event_id),
            Code::NoDryRun => self.is_api() && !self.is_get && self.id != "dry_run_image_cache",
            Code::InvalidRequest => self.is_api() && (!self.is_get || self.has_query),
            code if BEFORE_ALL.contains(&code) => false,
            _ => return None,
        })
    }

    fn of_credential(&self, code: Code) -> Option<bool> {
        let exchanges = self.is_exchange();
        Some(match code {
            Code::TokenMissing => self.access.is_some() || exchanges,
            Code::ApiKeyMalformed | Code::ApiKeyUnknown | Code::ApiKeyRevoked | Code::ApiKeyExpired => {
                self.access.is_some()
            }
            Code::IssuerUnavailable | Code::NoRuleMatches | Code::CredentialsUnavailable | Code::ClockInDoubt => {
                self.access.is_some() || exchanges
            }
            code if code.statuses().contains(&401) => self.access.is_some() || exchanges,
            Code::ScopeMissing => self.access.is_some_and(|access| !access.scopes.is_empty()),
            Code::KeyHasMoreScopes => self.is_one_of(&["rotate_api_key", "rotate_access_key"]),
            Code::TeamDisabled => self.is_api() && self.may_be_the_teams(),
            Code::MalformedForm
            | Code::MissingParameter
            | Code::DuplicateParameter
            | Code::UnsupportedParameter
            | Code::UnsupportedGrantType
            | Code::UnsupportedTokenType
            | Code::InvalidTarget
            | Code::InvalidScope
            | Code::NotExchangeable
            | Code::TwoTeams => exchanges,
            _ => return None,
        })
    }

    fn of_state(&self, code: Code) -> Option<bool> {
        let access = self.access;
        Some(match code {
            Code::NotFound => self.path.contains('{'),
            Code::PolicyRefused => self.is_one_of(JUDGED_BY_POLICY),
            Code::ConcurrentChange => self.is_one_of(VERSIONED),
            Code::PreconditionFailed => access.is_some_and(|access| access.if_match),
            Code::IdempotencyKeyReused | Code::IdempotencyInFlight => {
                access.is_some_and(|access| access.repeats.takes_key())
            }
            Code::IdempotencyOutcomeUnknown => access.is_some_and(|access| access.repeats == Repeats::Outside),
            Code::OperationInProgress => self.is_one_of(&["update_image_cache", "delete_image_cache"]),
            Code::ImageCacheNotUpdatable => self.id == "update_image_cache",
            Code::ImageCacheNotReady | Code::ImageCacheFailed | Code::NothingCached => self.id == "check_gate",
            Code::EventsNoLongerKept => self.is_one_of(FEEDS),
            Code::AuditEntryNotSealed => self.is_one_of(&["get_audit_proof", "get_audit_consistency"]),
            Code::TeamExists => self.id == "create_team",
            Code::CloudAccountInUse => self.id == "delete_cloud_account",
            Code::CloudAccountOfSettings => {
                self.is_one_of(&["put_cloud_account", "update_cloud_account", "delete_cloud_account"])
            }
            Code::CloudAccountDisabled => self.is_one_of(IN_ACCOUNTS),
            Code::CloudAccountMismatch => self.is_one_of(&["put_cloud_account", "update_cloud_account"]),
            Code::IssuerOfSettings => self.is_one_of(&["put_issuer", "delete_issuer"]),
            Code::WebhookEndpointPending => self.is_one_of(OF_VERIFIED_ENDPOINTS),
            Code::WebhookEndpointChanged => self.is_one_of(CHANGES_OF_ENDPOINTS),
            Code::WebhookEndpointGone | Code::DeliveryInFlight => self.id == "resend_delivery",
            _ => return None,
        })
    }

    fn of_limits(&self, code: Code) -> Option<bool> {
        Some(match code {
            Code::TooManyIssuers => self.id == "put_issuer",
            Code::TooManyAccessKeys => self.id == "create_access_key",
            Code::TooManyApiKeys => self.id == "create_api_key",
            Code::TooManyRevocations => self.id == "create_revocation",
            Code::TooManyWebhookEndpoints => self.id == "create_webhook_endpoint",
            Code::RateLimited | Code::TooManyRequests => self.is_api(),
            Code::TooManyRefused => self.is_api() || self.access.is_some(),
            Code::TooManyWaiting => self.is_one_of(WAITS),
            Code::TooManyStreams => self.is_one_of(STREAMS),
            Code::TooManyTests => self.is_one_of(TRIALS),
            _ => return None,
        })
    }

    fn of_gateway(&self, code: Code) -> Option<bool> {
        Some(match code {
            Code::CloudRefused => {
                self.is_one_of(CHANGES_OF_CACHES) || self.is_one_of(&["adopt_image_caches", "list_usage"])
            }
            Code::CloudUnavailable => self.is_one_of(&["adopt_image_caches", "list_usage"]),
            Code::InternalError | Code::RequestTimeout => true,
            Code::AuditUnavailable | Code::Overloaded | Code::RecordOfAnotherVersion => self.is_api(),
            Code::DatabaseUnavailable => self.is_api() || self.access.is_some(),
            Code::NotReady => self.id == "readyz",
            // Of a worker's log, and of the command line.
            Code::DelivererLost | Code::CloudAccountUnasked => false,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_is_judged_once() {
        let operation = Map::from_iter([("operationId".to_owned(), Value::from("get_me"))]);
        let facts = Facts::of("/v1/me", "get", &operation);
        for code in Code::ALL {
            let judges = [
                facts.of_request(code),
                facts.of_credential(code),
                facts.of_state(code),
                facts.of_limits(code),
                facts.of_gateway(code),
            ];
            assert_eq!(judges.iter().flatten().count(), 1, "{}", code.as_str());
        }
    }

    #[test]
    fn each_name_is_an_operations() {
        let all = [CHANGES_OF_CACHES, FEEDS, STREAMS, WAITS, IN_ACCOUNTS, VERSIONED, OF_VERIFIED_ENDPOINTS];
        for id in all.iter().chain(&[CHANGES_OF_ENDPOINTS, TRIALS, JUDGED_BY_POLICY]).flat_map(|names| names.iter()) {
            assert!(access::of(id).is_some(), "{id}");
        }
    }
}
