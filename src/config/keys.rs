//! The names of all settings, and which of them are secret.

/// Every setting that is no secret.
pub(super) const PLAIN: &[&str] = &[
    "listen",
    "metrics_listen",
    "public_url",
    "trusted_proxies",
    "clear_cursors",
    "log",
    "log_format",
    "cloud.endpoint",
    "cloud.endpoint_suffixes",
    "cloud.access_key_id",
    "cloud.account",
    "cloud.role_arn",
    "cloud.role_session",
    "cloud.role_seconds",
    "cloud.sts_endpoint",
    "cloud.regions",
    "cloud.ca_file",
    "cloud.timeout_seconds",
    "cloud.calls_per_second",
    "cloud.changes_percent",
    "cloud.look_milliseconds",
    "auth.issuer",
    "auth.audience",
    "auth.own_issuer",
    "auth.jwks_url",
    "auth.jwks_file",
    "auth.jwks_ca_file",
    "auth.jwks_http_hosts",
    "auth.discovery",
    "auth.issuers_file",
    "auth.team_claim",
    "auth.scope_claim",
    "auth.scope_prefix",
    "auth.max_lifetime_seconds",
    "auth.leeway_seconds",
    "cloud.token_window_seconds",
    "cloud.acceptance_seconds",
    "cloud.list_lag_seconds",
    "cloud.absence_seconds",
    "keys.master_id",
    "keys.master_previous_id",
    "webhook.allow_loopback",
    "webhook.allow_http",
    "webhook.allow_cidrs",
    "webhook.allow_host_suffixes",
    "webhook.allow_ports",
    "webhook.allow_public",
    "webhook.allow_skip_challenge",
    "webhook.timeout_seconds",
    "webhook.endpoints_per_team",
    "webhook.waiting_while_off",
    "webhook.extra_ca_file",
    "limits.connections",
    "limits.body_bytes",
    "limits.request_seconds",
    "limits.header_seconds",
    "limits.keep_idle_seconds",
    "limits.grace_seconds",
    "limits.body_seconds",
    "limits.write_seconds",
    "limits.answer_seconds",
    "limits.connections_per_address",
    "limits.head_bytes",
    "limits.headers",
    "limits.url_bytes",
    "limits.running",
    "limits.lists",
    "limits.queue",
    "limits.queue_seconds",
    "limits.queue_milliseconds",
    "limits.team_per_second",
    "limits.team_burst",
    "limits.team_running",
    "limits.team_waiting",
    "limits.address_refused_per_second",
    "limits.address_refused_burst",
    "database.pool_size",
    "database.acquire_seconds",
    "database.runtime_role",
    "audit.origin",
    "worker.lease_seconds",
    "reconcile.every_seconds",
    "reconcile.expiring_within_seconds",
    "ensure.margin_seconds",
    "policy.unknown_teams",
    "policy.contact",
    "policy.currency",
    "policy.prices",
    "retention.events_days",
    "retention.deliveries_days",
    "retention.image_caches_days",
    "retention.credentials_days",
];

/// Every secret. Each also has a `_file` form that names a file with the value.
pub(super) const SECRET: &[&str] = &[
    "database_url",
    "migrate_database_url",
    "cloud.access_key_secret",
    "cloud.role_external_id",
    "cloud.proxy",
    "auth.hs256_secret",
    "auth.jwks_proxy",
    "webhook.proxy",
    "keys.master",
    "keys.master_previous",
    "keys.audit",
    "keys.audit_previous",
];

/// The settings of proxies, one for each client of ours.
pub(super) const PROXIES: [&str; 3] = ["cloud.proxy", "auth.jwks_proxy", "webhook.proxy"];

/// Whether other programs take a proxy from this variable, and we do not.
pub(super) fn is_proxy_variable(name: &str) -> bool {
    ["HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Variables beginning with `ECG_` that are no settings: the file's own name, what docker-compose.yml reads, what `dev`
/// reads, and what `dev` writes for its users.
pub(super) const OTHER_VARIABLES: &[&str] = &[
    "ECG_CONFIG",
    "ECG_PORT",
    "ECG_PG_BIN",
    "ECG_PG_INSTALL",
    "ECG_URL",
    "ECG_TOKEN",
    "ECG_ADMIN_TOKEN",
    "ECG_ACCESS_KEY_ID",
    "ECG_ACCESS_KEY_SECRET",
    "ECG_STANDIN_URL",
    "ECG_STANDIN_ACCESS_KEY_ID",
    "ECG_STANDIN_ACCESS_KEY_SECRET",
];

/// What a written name means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning {
    /// The setting itself.
    Value(&'static str),
    /// The file that holds the secret.
    FileOf(&'static str),
}

/// The meaning of a key such as `cloud.regions` or `keys.master_file`.
pub(super) fn meaning(name: &str) -> Option<Meaning> {
    let known = PLAIN.iter().chain(SECRET).find(|key| **key == name).map(|key| Meaning::Value(key));
    known.or_else(|| {
        let secret = name.strip_suffix("_file")?;
        SECRET.iter().find(|key| **key == secret).map(|key| Meaning::FileOf(key))
    })
}

/// The meaning of a variable such as `ECG_CLOUD_REGIONS`.
pub(super) fn meaning_of_variable(variable: &str) -> Option<Meaning> {
    let secret =
        |key: &&'static str| (format!("{}_FILE", variable_of(key)) == variable).then_some(Meaning::FileOf(key));
    let known = PLAIN.iter().chain(SECRET).find(|key| variable_of(key) == variable);
    known.map(|key| Meaning::Value(key)).or_else(|| SECRET.iter().find_map(secret))
}

/// `cloud.regions`: `ECG_CLOUD_REGIONS`.
pub(super) fn variable_of(key: &str) -> String {
    format!("ECG_{}", key.to_uppercase().replace('.', "_"))
}

/// The known name that is nearest to a mistaken one.
pub(super) fn nearest<'a>(mistaken: &str, known: impl IntoIterator<Item = &'a str>) -> &'a str {
    known.into_iter().min_by_key(|name| distance(mistaken, name)).unwrap_or_default()
}

/// How many letters to add, drop or change (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let change = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = change.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}
