//! How a database session starts: where it connects to, and its settings.
//!
//! The settings are set by statements after connecting. The protocol could carry them in its first message, but poolers
//! such as pgbouncer refuse a session that does that.
//!
//! [`crate::store::Store`] calls it once for each kind of session, and the pools for each connection.

use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions as _, PgConnection};
use url::Url;

use crate::domain::database::address::DatabaseAddress;
use crate::domain::database::fault::DatabaseTarget;

/// Settings that correctness depends on, whatever the server, the database or the role sets by default: that a
/// transaction sees what others committed once it has its lock (`ensure` relies on this to create only one image
/// cache), and that what is written as text reads back the same.
const FIXED: [(&str, &str); 9] = [
    ("default_transaction_isolation", "read committed"),
    ("default_transaction_deferrable", "off"),
    ("TimeZone", "UTC"),
    ("DateStyle", "ISO, MDY"),
    ("IntervalStyle", "postgres"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("standard_conforming_strings", "on"),
    ("row_security", "on"),
];

/// Acknowledged changes must survive a crash, and are waited for as long as that takes; a setting that promises more is
/// left as it is. It is set even if it has this value already, because a session that has not set it follows the
/// server's configuration file when that is reloaded. The other statement removes a limit that exists from version 17
/// on; [`GUARDED`] has a limit for each thing that may take long.
const CONDITIONAL: &str = "
    SELECT pg_catalog.set_config('synchronous_commit', CASE pg_catalog.current_setting('synchronous_commit')
        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false);
    SELECT pg_catalog.set_config('transaction_timeout', '0', false)
    WHERE pg_catalog.current_setting('server_version_num')::int >= 170000;";

/// Where the pools' statements find their tables if `search_path` is changed while a gateway is running. A gateway
/// refuses to start with another place ([`super::connectivity`]), so the connections that check this do not set it.
const PLACED: [(&str, &str); 1] = [("search_path", "public")];

/// Settings that are reported at the start if they are weaker than what the gateway relies on: the setting, its
/// acceptable values, and whether our sessions set it themselves. The others only the server's operator can change.
pub(in crate::store) const EXPECTED: [(&str, &[&str], bool); 5] = [
    ("default_transaction_isolation", &["read committed"], true),
    ("synchronous_commit", &["on", "remote_apply"], true),
    ("fsync", &["on"], false),
    ("full_page_writes", &["on"], false),
    ("session_replication_role", &["origin"], false),
];

/// What the server does if one of our sessions stops responding. Each limit is below the pools' limit: the server gives
/// up before we do, and long before a lease runs out twice. The `tcp_…` settings have no effect on a Unix socket.
///
/// The last one tells the planner that the database is not on a spinning disk. By default it would rather read a
/// thousand rows in table order and sort them than read them in index order.
const GUARDED: [(&str, &str); 8] = [
    ("statement_timeout", "8s"),
    ("lock_timeout", "4s"),
    ("idle_in_transaction_session_timeout", "5s"),
    ("tcp_user_timeout", "10s"),
    ("tcp_keepalives_idle", "10s"),
    ("tcp_keepalives_interval", "5s"),
    ("tcp_keepalives_count", "3"),
    ("random_page_cost", "1.1"),
];

/// Settings for connections that only run a few statements again and again, each the same except for its arrays: each
/// is planned once. The planner would otherwise plan it every time (a plan for an array of one looks cheaper than a
/// generic one), which for a read of one row takes five times as long as the read. The one plan for all sizes must not
/// be the plan for an empty table: it uses an index if there is one, and the high cost that this puts on other plans is
/// no reason to compile them.
const STEADY: [(&str, &str); 3] =
    [("plan_cache_mode", "force_generic_plan"), ("enable_seqscan", "off"), ("jit", "off")];

/// How to connect, and what every session starts with.
#[derive(Debug, Clone)]
pub(in crate::store) struct Sessions {
    pub(in crate::store) options: PgConnectOptions,
    /// The statements that set them, one after the other.
    settings: String,
}

impl Sessions {
    /// Sessions with the limits that apply to all, on top of the operator's own settings.
    pub(in crate::store) fn new(options: &PgConnectOptions, own: &[(String, String)]) -> Self {
        // A pooler refuses this one in the first message too.
        let sessions = Self { options: options.clone().extra_float_digits(None), settings: String::new() };
        let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut sessions = sessions.with(own).with(FIXED).with(GUARDED);
        sessions.settings.push_str(CONDITIONAL);
        sessions
    }

    /// The same, for the connections of pools.
    pub(in crate::store) fn pooled(&self) -> Self {
        self.clone().with(PLACED)
    }

    /// The same, for connections on which a few statements run again and again.
    pub(in crate::store) fn steady(&self) -> Self {
        self.clone().with(STEADY)
    }

    fn with<'a>(mut self, settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        for (name, value) in settings {
            // Names contain only letters, digits, underscores and dots. Lists such as search_path's are only parsed as
            // lists in this form.
            let value = value.replace('\\', "\\\\").replace('\'', "''");
            let setting = format!("SELECT pg_catalog.set_config('{name}', E'{value}', false);");
            self.settings.push_str(&setting);
        }
        self
    }

    /// Applies the settings to a new connection.
    pub(in crate::store) async fn begin(&self, connection: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::raw_sql(AssertSqlSafe(self.settings.clone())).execute(connection).await?;
        Ok(())
    }

    /// A connection outside the pools.
    pub(in crate::store) async fn connect(&self) -> Result<PgConnection, sqlx::Error> {
        let mut connection = self.options.connect().await?;
        self.begin(&mut connection).await?;
        Ok(connection)
    }

    /// Which database it connects to.
    pub(in crate::store) fn target(&self) -> DatabaseTarget {
        let options = &self.options;
        let folder = options.get_socket().map(|folder| folder.display().to_string());
        let role = options.get_username().to_owned();
        DatabaseTarget {
            host: folder.unwrap_or_else(|| options.get_host().to_owned()),
            port: options.get_port(),
            // PostgreSQL uses the role's name if no database is given.
            database: options.get_database().map_or_else(|| role.clone(), str::to_owned),
            role,
        }
    }
}

/// Removes the limits of a session: a migration may take as long as it needs.
pub(in crate::store) async fn unlimited(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    for (name, _) in &GUARDED[..3] {
        sqlx::query("SELECT set_config($1, '0', false)").bind(name).execute(&mut *connection).await?;
    }
    Ok(())
}

/// How to connect to an address. Logs anything unusual about it.
pub(in crate::store) fn options_of(address: &DatabaseAddress) -> PgConnectOptions {
    let mut options = options(address);
    if address.get("application_name").is_none() {
        options = options.application_name("eci-cache-gateway");
    }
    let ours = |name: &str| FIXED.iter().chain(&GUARDED).any(|(ours, _)| ours.eq_ignore_ascii_case(name));
    for (name, _) in address.settings.iter().filter(|(name, _)| ours(name)) {
        tracing::warn!(
            name,
            "this setting in the options of the database's address has no effect: the gateway sets it"
        );
    }
    for note in &address.notes {
        tracing::warn!("{note}");
    }
    options
}

/// Uses an address in the driver's own format, whose parser also reads the password file.
fn options(address: &DatabaseAddress) -> PgConnectOptions {
    let mut url = Url::parse("postgres://").expect("it is an address");
    if address.parameters().next().is_some() {
        url.query_pairs_mut().extend_pairs(address.parameters());
    }
    PgConnectOptions::from_url(&url).expect("what has been read can be read by the driver")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> DatabaseTarget {
        let address = DatabaseAddress::parse(text).unwrap();
        let (options, settings) = (options_of(&address), address.settings);
        Sessions::new(&options, &settings).target()
    }

    #[test]
    fn the_driver_connects_to_what_is_written() {
        let told = |text| target(text).to_string();
        assert_eq!(told("postgres://u:p%26%20q@[::1]:5433/d"), "the database d at [::1]:5433, as the role u");
        assert_eq!(told("postgres://u:p@/d?host=/socket"), "the database d at /socket:5432, as the role u");
        assert_eq!(told("host=h user='a b' dbname=ü"), "the database ü at h:5432, as the role a b");
        assert_eq!(target("postgres://u@h").database, "u");
    }

    #[test]
    fn settings_are_quoted() {
        let address = DatabaseAddress::parse("postgres://h?options=-c%20a.b=it's\\\\\\\\").unwrap();
        let said = Sessions::new(&options_of(&address), &address.settings).settings;
        assert!(said.starts_with(r"SELECT pg_catalog.set_config('a.b', E'it''s\\\\', false);"), "{said}");
        assert!(said.contains("'statement_timeout', E'8s'"), "{said}");
        assert!(said.contains("'default_transaction_isolation', E'read committed'"), "{said}");
    }
}
