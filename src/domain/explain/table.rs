//! Which words of the cloud, of containerd and of registries mean which cause, and the text for each cause.
//!
//! Codes are checked first, unchanged; messages only if the code or the event's Reason gives no cause (`Failed` says
//! nothing), in lower case. The first line that matches wins, so the lines are in order of certainty.

use super::Cause::{
    self, AccountDisabled, BadRequest, Certificate, CloudBusy, GatewayKey, ImageNotFound, ImageTooLarge, Network,
    NoStock, NotEnabled, NotThere, Permission, Platform, Quota, RegistryBusy, RegistryLogin, SubnetFull, TokenReused,
    Unclear, Withdrawn, WrongState, ZoneMismatch,
};

/// The texts for one cause.
pub(super) struct CauseEntry {
    pub(super) word: &'static str,
    pub(super) sentence: &'static str,
    pub(super) hint: &'static str,
    pub(super) retryable: bool,
}

/// Parts of codes that refuse the signer, not the request: the key's id or its secret is wrong, or the key was disabled
/// or deleted.
const KEY_CODES: [&str; 9] = [
    "InvalidAccessKey",
    "InvalidAccessKeySecret",
    "AccessKeyDisabled",
    "AccessKey.NotFound",
    "AccessKeyNotFound",
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "InvalidSecurityToken",
    "MissingSecurityToken",
];

/// Parts of codes that say that the signer lacks a right.
const RIGHT_CODES: [&str; 7] = [
    "Forbidden.RAM",
    "NoPermission",
    "Forbidden.SubUser",
    "Unauthorized",
    "UserNotAllowed",
    "PassRoleForbidden",
    "ServiceLinkedRole.Denied",
];

/// Whether the code says that a right is missing.
pub(super) fn is_of_rights(code: &str) -> bool {
    RIGHT_CODES.iter().any(|word| code.contains(word))
}

/// Whether the code refuses the key that signed.
pub(super) fn is_of_key(code: &str) -> bool {
    KEY_CODES.iter().any(|word| code.contains(word))
}

/// Parts of codes and event reasons.
const CODES: [(&[&str], Cause); 16] = [
    (&KEY_CODES, GatewayKey),
    (&["IdempotentParameterMismatch", "InvalidIdempotenceParameter"], TokenReused),
    (&["withdrawn"], Withdrawn),
    (&["VswZoneMisMatch", "SecurityGroupMisMatch"], ZoneMismatch),
    (&["IpNotEnough"], SubnetFull),
    (&["NoStock", "NotOnSale", "StockClose", "StockExhaust"], NoStock),
    (
        &[
            "Arrearage",
            "InsufficientBalance",
            "UserBussinessStatus",
            "NotRealNameAuthentication",
            "RiskControl",
            "SecurityRisk",
        ],
        AccountDisabled,
    ),
    (&["ServiceNotEnabled", "ImageCacheNotSupport", "OnlyForInvitedTest"], NotEnabled),
    (&["containerRepositoryAuthorizationFailed"], RegistryLogin),
    (&RIGHT_CODES, Permission),
    (&["Forbidden"], Permission),
    (&["IncorrectStatus", "OperationConflict", "Conflict", "AlreadyExist"], WrongState),
    (&["QuotaExceed", "LimitExceed", "QuotaFull"], Quota),
    (&["NotFound"], NotThere),
    (&["Throttling", "ServiceUnavailable", "InternalError", "UnknownError", "Degrade.Api"], CloudBusy),
    (&["Missing", "Invalid", "NotSupport"], BadRequest),
];

/// Parts of messages, in lower case.
const MESSAGES: [(&[&str], Cause); 11] = [
    (&["no space left on device", "disk full", "exceeds the image cache size", "insufficient disk"], ImageTooLarge),
    (&["no match for platform", "no matching manifest for", "exec format error"], Platform),
    (&["toomanyrequests", "too many requests", "rate limit"], RegistryBusy),
    (&["x509:", "certificate signed by unknown authority", "tls: failed to verify"], Certificate),
    (
        &[
            "unauthorized",
            "authentication required",
            "authorization failed",
            "no basic auth credentials",
            "insufficient_scope",
            "access denied",
            "403 forbidden",
        ],
        RegistryLogin,
    ),
    (&["manifest unknown", "name unknown", "not found", "does not exist", "repository name not known"], ImageNotFound),
    (
        &[
            "i/o timeout",
            "no such host",
            "connection refused",
            "connection reset",
            "network is unreachable",
            "no route to host",
            "context deadline exceeded",
            "client.timeout",
            "tls handshake timeout",
        ],
        Network,
    ),
    (&["ip address", "ip is not enough"], SubnetFull),
    (&["out of stock"], NoStock),
    (&["does not have enough balance", "overdue"], AccountDisabled),
    (&["heavy load", "try again later"], CloudBusy),
];

/// The cause that the words indicate.
pub(super) fn cause_of(code: &str, message: &str) -> Cause {
    let message = message.to_ascii_lowercase();
    let by_code = CODES.iter().find(|(words, _)| words.iter().any(|word| code.contains(word)));
    let by_message = || MESSAGES.iter().find(|(words, _)| words.iter().any(|word| message.contains(word)));
    by_code.or_else(by_message).map_or(Unclear, |(_, cause)| *cause)
}

const fn entry_of(word: &'static str, sentence: &'static str, hint: &'static str, retryable: bool) -> CauseEntry {
    CauseEntry { word, sentence, hint, retryable }
}

/// The texts for `cause`.
pub(super) fn entry(cause: Cause) -> CauseEntry {
    image(cause).or_else(|| room(cause)).or_else(|| rights(cause)).unwrap_or_else(|| request(cause))
}

/// Problems between the builder and the registry.
fn image(cause: Cause) -> Option<CauseEntry> {
    Some(match cause {
        ImageNotFound => entry_of(
            "image_not_found",
            "The registry does not have this image.",
            "check the repository and the tag, and that the push was complete; then create the image cache again",
            false,
        ),
        RegistryLogin => entry_of(
            "registry_login",
            "The registry requires a login, or refused the one that was provided.",
            "pass registry_credentials (or acr_registries) that may pull this image; registries often give the same \
             answer for a repository that does not exist",
            false,
        ),
        ImageTooLarge => entry_of(
            "image_too_large",
            "The unpacked images do not fit into the image cache.",
            "create it again with a larger size_gib",
            false,
        ),
        Platform => entry_of(
            "platform",
            "The image does not support the platform that builds the image cache.",
            "push the image for linux/amd64 (or the platform that os_type asks for)",
            false,
        ),
        Network => entry_of(
            "network",
            "The builder could not reach the registry.",
            "give it network access with an EIP (eip_instance_id or auto_create_eip) or a NAT gateway on the \
             vSwitch, or use the registry's VPC address; then try again",
            true,
        ),
        Certificate => entry_of(
            "certificate",
            "The registry's certificate is not trusted.",
            "use a certificate of a public authority, or name the registry in insecure_registry if that is allowed",
            false,
        ),
        RegistryBusy => entry_of(
            "registry_busy",
            "The registry refused the pull because there were too many.",
            "try again later, or pull with a login or through a mirror",
            true,
        ),
        _ => return None,
    })
}

/// What the cloud or the account has not enough of.
fn room(cause: Cause) -> Option<CauseEntry> {
    Some(match cause {
        Quota => entry_of(
            "quota",
            "A quota of the cloud account is exhausted.",
            "delete image caches that are not needed, or request a higher quota; see GET /v1/usage",
            true,
        ),
        SubnetFull => entry_of(
            "subnet_full",
            "The vSwitch (or address pool) has no free address for the builder.",
            "name a different vSwitch in vswitch_ids, or free some addresses; then try again",
            true,
        ),
        ZoneMismatch => entry_of(
            "zone_mismatch",
            "The vSwitch does not belong to the zone or to the VPC of the security group.",
            "omit zone_id, or name a vSwitch of that zone and a security group of the same VPC",
            false,
        ),
        NoStock => entry_of(
            "no_stock",
            "The zone has no capacity for the builder at the moment.",
            "try again later, or name vSwitches of several zones in vswitch_ids",
            true,
        ),
        CloudBusy => entry_of(
            "cloud_busy",
            "The cloud is overloaded or had an internal failure.",
            "try again later; nothing is wrong with the request",
            true,
        ),
        _ => return None,
    })
}

/// Missing rights of the account.
fn rights(cause: Cause) -> Option<CauseEntry> {
    Some(match cause {
        AccountDisabled => entry_of(
            "account_disabled",
            "The gateway's cloud account is disabled, in debt, under review or not verified.",
            "tell the gateway's administrators: the problem must be fixed in the account itself",
            false,
        ),
        GatewayKey => entry_of(
            "gateway_key",
            "The cloud does not accept the access key with which the gateway signs.",
            "the request is valid, and no part of it was carried out: tell the gateway's administrators that the id \
             or the secret of its own cloud access key is wrong, or that the key was disabled",
            false,
        ),
        Permission => entry_of(
            "permission",
            "The gateway's cloud account lacks a permission for this.",
            "tell the gateway's administrators: a RAM policy or a service role is missing (`doctor cloud` says \
             which); more scopes will not help",
            false,
        ),
        NotEnabled => entry_of(
            "not_enabled",
            "The service or this feature is not enabled for the cloud account.",
            "tell the gateway's administrators: it can be enabled in the cloud's console",
            false,
        ),
        _ => return None,
    })
}

/// Problems with the request or its timing, and unknown causes.
fn request(cause: Cause) -> CauseEntry {
    match cause {
        WrongState => entry_of(
            "wrong_state",
            "The image cache is in a state that does not allow this.",
            "check its current status and try again once it has settled",
            true,
        ),
        TokenReused => entry_of(
            "token_reused",
            "The cloud knows this request's token with different parameters.",
            "tell the gateway's administrators; the operation is quarantined and never sent with a different token",
            false,
        ),
        NotThere => entry_of(
            "not_there",
            "The cloud does not know a resource that the request names.",
            "check the ids in the request (vSwitch, security group, EIP, resource group, image cache)",
            false,
        ),
        BadRequest => entry_of(
            "bad_request",
            "The cloud does not accept a parameter.",
            "change the parameter that the cloud names and send a new request",
            false,
        ),
        Withdrawn => entry_of(
            "withdrawn",
            "The operation was withdrawn before anything was sent to the cloud.",
            "send the request again if it is still needed",
            true,
        ),
        _ => entry_of(
            "unclear",
            "The cloud gave a reason that the gateway does not know; the original text is in `message`.",
            "read the cloud's message and its events in the provider record; quote its request id to the cloud's support",
            false,
        ),
    }
}
