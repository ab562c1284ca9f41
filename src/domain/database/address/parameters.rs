//! What each parameter of an address does here: one table of everything that libpq knows, and some that other drivers
//! use.

use std::collections::BTreeMap;
use std::net::IpAddr;

use secrecy::SecretString;

use super::uri::UriParameters;
use super::{AddressError, DatabaseAddress, options};

/// How a parameter is handled.
#[derive(Clone, Copy)]
enum ParameterRule {
    /// Stored under this name.
    Keep(&'static str),
    /// Stored under this name; a number of up to 65535.
    Number(&'static str),
    /// How TLS is used; one of [`MODES`].
    Tls,
    /// `ssl=true`, as JDBC writes it.
    TlsFlag,
    /// Settings of the session, in the form of the server's command line (`-c name=value`).
    Options,
    /// These values describe what happens anyway; any other is refused with the reason.
    Only(&'static [&'static str], &'static str),
    /// It has no effect, and a note says so.
    Unused(&'static str),
    /// It is refused, with advice what to do instead.
    Refused(&'static str),
}

use ParameterRule::{Keep, Number, Only, Options, Refused, Tls, TlsFlag, Unused};

const NO_GSS: &str = "GSSAPI is not supported: leave it out";
const TIMEOUTS: &str = "silent connections are found by the gateway itself";
const POOL: &str = "the size of the pool is set by ECG_DATABASE_POOL_SIZE: leave it out";
const SCHEMA: &str = "the tables live in the schema public of a database of their own: leave it out";
/// The values of `sslmode`.
const MODES: [&str; 6] = ["disable", "allow", "prefer", "require", "verify-ca", "verify-full"];

const RULES: [(&[&str], ParameterRule); 46] = [
    (&["host"], Keep("host")),
    (&["hostaddr"], Keep("hostaddr")),
    (&["port"], Number("port")),
    (&["dbname"], Keep("dbname")),
    (&["user"], Keep("user")),
    (&["password"], Keep("password")),
    (&["sslmode", "ssl-mode"], Tls),
    (&["ssl"], TlsFlag),
    (&["sslrootcert", "ssl-root-cert", "ssl-ca"], Keep("sslrootcert")),
    (&["sslcert", "ssl-cert"], Keep("sslcert")),
    (&["sslkey", "ssl-key"], Keep("sslkey")),
    (&["application_name"], Keep("application_name")),
    (&["fallback_application_name"], Keep("fallback_application_name")),
    (&["options"], Options),
    (&["statement-cache-capacity"], Number("statement-cache-capacity")),
    (&["client_encoding"], Only(&["utf8", "utf-8", "UTF8", "UTF-8", "auto"], "the gateway speaks UTF-8")),
    (
        &["target_session_attrs"],
        Only(&["any", "read-write", "primary"], "the gateway writes: it may be any, read-write or primary"),
    ),
    (
        &["channel_binding"],
        Only(
            &["disable", "prefer"],
            "channel binding is not supported: write channel_binding=prefer, and sslmode=verify-full to be sure of the server",
        ),
    ),
    (&["gssencmode"], Only(&["disable", "prefer"], NO_GSS)),
    (&["gssdelegation"], Only(&["0"], NO_GSS)),
    (&["krbsrvname", "gsslib"], Unused("GSSAPI is not used")),
    (&["sslnegotiation"], Only(&["postgres"], "TLS is asked for in Postgres' own way: write sslnegotiation=postgres")),
    (&["sslcompression"], Only(&["0"], "TLS is never compressed: leave it out")),
    (&["sslsni"], Only(&["1"], "the server's name is always sent: leave it out")),
    (
        &["sslcertmode"],
        Only(&["allow", "disable"], "whether the server asks for a certificate is not checked: leave it out"),
    ),
    (
        &["ssl_min_protocol_version"],
        Only(
            &["TLSv1", "TLSv1.1", "TLSv1.2"],
            "TLS 1.2 and 1.3 are spoken, whichever the server prefers: leave it out",
        ),
    ),
    (
        &["ssl_max_protocol_version"],
        Only(&["TLSv1.3"], "TLS 1.2 and 1.3 are spoken, whichever the server prefers: leave it out"),
    ),
    (
        &["sslpassword"],
        Refused(
            "a key that is itself encrypted is not supported: write the key in clear, readable by this process alone",
        ),
    ),
    (&["sslcrl", "sslcrldir"], Refused("lists of revoked certificates are not supported")),
    (&["sslkeylogfile"], Refused("secrets are not written into files: leave it out")),
    (
        &["require_auth"],
        Refused("the way of authentication cannot be demanded: use sslmode=verify-full to be sure of the server"),
    ),
    (&["requirepeer"], Refused("the owner of a socket is not checked: omit it")),
    (&["min_protocol_version"], Only(&["3.0"], "protocol 3.0 is spoken: leave it out")),
    (&["max_protocol_version"], Only(&["3.0", "3.2", "latest"], "protocol 3.0 is spoken: leave it out")),
    (&["replication"], Only(&["false", "off", "no", "0"], "the gateway does not replicate: leave it out")),
    (&["load_balance_hosts"], Only(&["disable"], "the gateway needs the server that takes writes: leave it out")),
    (&["service", "servicefile"], Refused("service files are not read: write host, dbname and user here")),
    (
        &["passfile"],
        Refused(
            "it is not read: name the file in PGPASSFILE, or put the whole address into a file and name it in ECG_DATABASE_URL_FILE",
        ),
    ),
    (&["oauth_issuer", "oauth_client_id", "oauth_client_secret", "oauth_scope"], Refused("OAuth is not supported")),
    (&["scram_client_key", "scram_server_key"], Refused("keys of SCRAM are not supported: write the password")),
    (&["connect_timeout"], Unused("how long is waited for a connection is set by ECG_DATABASE_ACQUIRE_SECONDS")),
    (
        &["keepalives", "keepalives_idle", "keepalives_interval", "keepalives_count", "tcp_user_timeout"],
        Unused(TIMEOUTS),
    ),
    (
        &["connection_limit", "pool_max_conns", "pool_min_conns", "pool_size", "max_pool_size", "pool_timeout"],
        Refused(POOL),
    ),
    (&["schema", "currentSchema", "search_path"], Refused(SCHEMA)),
    (
        &["pgbouncer", "prepareThreshold", "prepare_threshold"],
        Refused("poolers in session mode work without it, others do not: leave it out"),
    ),
    (
        &["sslaccept", "sslfactory", "uselibpqcompat", "sslidentity"],
        Refused("it is not a parameter of libpq: use sslmode instead"),
    ),
];

/// Parses the parameters; of each the last value counts.
pub(super) fn read(pairs: UriParameters) -> Result<DatabaseAddress, AddressError> {
    let mut reading = ParsedParameters::default();
    for (name, value) in pairs {
        reading.take(&name, value)?;
    }
    reading.finish()
}

#[derive(Default)]
struct ParsedParameters {
    values: BTreeMap<&'static str, String>,
    settings: Vec<(String, String)>,
    notes: Vec<String>,
    /// What follows a password may be part of it.
    secret: bool,
}

impl ParsedParameters {
    fn take(&mut self, name: &str, value: String) -> Result<(), AddressError> {
        if value.contains('\0') {
            return Err(AddressError::new("has a zero byte"));
        }
        if let Some(setting) = name.strip_prefix("options[").and_then(|rest| rest.strip_suffix(']')) {
            self.settings.extend(options::settings(&format!("-c {setting}={}", value.replace(' ', "\\ ")))?);
            return Ok(());
        }
        let known = RULES.iter().find(|(names, _)| names.contains(&name));
        let (names, rule) = known.ok_or_else(|| self.unknown(name))?;
        let name = names.iter().find(|known| **known == name).copied().unwrap_or_default();
        self.apply(name, *rule, value)
    }

    fn apply(&mut self, name: &'static str, rule: ParameterRule, value: String) -> Result<(), AddressError> {
        match rule {
            // As in libpq, an empty value means not set.
            Keep(_) | Number(_) | Tls | TlsFlag if value.is_empty() => {}
            Keep(key) => {
                self.secret |= key == "password";
                self.values.insert(key, value);
            }
            Number(key) if value.contains(',') || value.parse::<u16>().is_ok_and(|number| number > 0) => {
                self.values.insert(key, value);
            }
            Number(_) => return Err(AddressError::new(format!("must have a {name} from 1 to 65535"))),
            Tls if MODES.contains(&value.as_str()) => drop(self.values.insert("sslmode", value)),
            Tls => return Err(self.not_one_of(name, &value, &MODES)),
            TlsFlag if value == "true" => drop(self.values.insert("sslmode", "require".to_owned())),
            TlsFlag => return Err(AddressError::new("may have ssl=true only; anything else is said by sslmode")),
            Options => self.settings.extend(options::settings(&value)?),
            Only(allowed, _) if allowed.contains(&value.as_str()) => {}
            Only(allowed, why) => {
                let told = self.not_one_of(name, &value, allowed);
                return Err(AddressError::new(format!("{told}: {why}")));
            }
            Unused(why) => self.notes.push(format!("{name} in the database's address has no effect: {why}")),
            Refused(why) => return Err(AddressError::new(format!("has the parameter {name}: {why}"))),
        }
        Ok(())
    }

    fn not_one_of(&self, name: &str, value: &str, allowed: &[&str]) -> AddressError {
        let told = if self.secret { String::new() } else { format!(", not {:?}", short(value)) };
        AddressError::new(format!("must have {name} as one of {}{told}", allowed.join(", ")))
    }

    fn unknown(&self, name: &str) -> AddressError {
        if self.secret {
            return AddressError::new(
                "has a parameter after the password that is not a parameter of libpq: leave it out; or, if it is \
                 part of the password, write an & in it as %26, or put a value with spaces in single quotation marks",
            );
        }
        AddressError::new(format!(
            "has the parameter {:?}, which is not a parameter of libpq: leave it out",
            short(name)
        ))
    }

    fn finish(mut self) -> Result<DatabaseAddress, AddressError> {
        self.one_host()?;
        self.tls()?;
        if let Some(name) = self.values.remove("fallback_application_name") {
            self.values.entry("application_name").or_insert(name);
        }
        let values = self.values.into_iter().map(|(name, value)| (name, SecretString::from(value))).collect();
        Ok(DatabaseAddress { values, settings: self.settings, notes: self.notes })
    }

    /// Only one host is allowed: several must share one address, which follows the primary.
    fn one_host(&mut self) -> Result<(), AddressError> {
        for name in ["host", "hostaddr", "port"] {
            if let Some(value) = self.values.get(name).filter(|value| value.contains(',')) {
                return Err(AddressError::new(format!(
                    "names {} hosts: name one, which leads to the server that takes writes (a virtual address, a DNS name that follows the primary, or a proxy such as HAProxy or pgbouncer)",
                    value.split(',').count()
                )));
            }
        }
        if let Some(address) = self.values.remove("hostaddr") {
            address.parse::<IpAddr>().map_err(|_| AddressError::new("must have an IP address as hostaddr"))?;
            if self.values.get("sslmode").is_some_and(|mode| mode == "verify-full") && self.values.contains_key("host")
            {
                return Err(AddressError::new(
                    "has host and hostaddr, and sslmode=verify-full, which goes by the one host it connects to: leave hostaddr out",
                ));
            }
            self.values.insert("host", address);
        }
        if self.values.get("host").is_some_and(|host| host.contains("/.s.PGSQL.")) {
            return Err(AddressError::new(
                "names a socket: host is the folder that it is in, and its number is the port",
            ));
        }
        let good = |host: &String| {
            host.starts_with('/')
                || host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:%".contains(&b) || b >= 128)
        };
        if self.values.get("host").is_some_and(|host| !good(host)) {
            return Err(AddressError::new(
                "has a host that is neither a name, nor an IP address, nor the folder of a socket beginning with /: in a password an @ is written %40, a / %2F",
            ));
        }
        Ok(())
    }

    /// `allow` and `require` mean what they mean in libpq.
    fn tls(&mut self) -> Result<(), AddressError> {
        // As in libpq, sslmode means nothing on a socket.
        if self.values.get("host").is_some_and(|host| host.starts_with('/')) {
            self.values.retain(|name, _| !name.starts_with("ssl"));
            self.values.insert("sslmode", "disable".to_owned());
            return Ok(());
        }
        let mode = self.values.get("sslmode").cloned();
        let roots = self.values.get("sslrootcert").cloned();
        let mode = match (mode.as_deref(), roots.as_deref()) {
            (None | Some("verify-full"), Some("system")) => {
                self.values.remove("sslrootcert");
                "verify-full"
            }
            (_, Some("system")) => {
                return Err(AddressError::new("has sslrootcert=system, which is for sslmode=verify-full only"));
            }
            (Some("require"), Some(_)) => "verify-ca",
            // More than requested: encrypted if the server supports it.
            (Some("allow"), _) => "prefer",
            _ => return Ok(()),
        };
        self.values.insert("sslmode", mode.to_owned());
        Ok(())
    }
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}
