//! Why a database cannot be used, as a sentence that also says what to do.
//!
//! What must stay true: no message repeats a password; [`DatabaseFault::is_final`] separates faults that only the
//! operator can fix from those that may pass by themselves.

use std::fmt;

/// The database that a fault is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatabaseTarget {
    /// The host, or the directory of its socket.
    pub host: String,
    /// The TCP port; for a socket, the number in its name.
    pub port: u16,
    /// The name of the database on that server.
    pub database: String,
    /// The role that logs in.
    pub role: String,
}

impl fmt::Display for DatabaseTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port, database, role } = self;
        let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
        write!(f, "the database {database} at {host}:{port}, as the role {role}")
    }
}

/// How a pooler shares server connections between clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// Each transaction may use another connection.
    Transaction,
    /// Each statement may use another connection.
    Statement,
}

/// Why a database cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DatabaseFault {
    /// The password is wrong, or a server that requires passwords does not know the role.
    Password,
    /// The server does not admit this role from this client; with its message.
    RoleRefused(String),
    /// The database does not exist.
    NoDatabase,
    /// The role may not connect to the database; with the server's message.
    NoRight(String),
    /// All connections are in use.
    TooMany,
    /// Nothing listens on the port.
    Refused,
    /// The host name does not resolve.
    NoSuchHost,
    /// There is no route to the host.
    Unreachable,
    /// There is no socket in that directory.
    NoSocket,
    /// Something else listens there, a web server for example.
    NotPostgres,
    /// The server supports no TLS, and the address requires it.
    NoTls,
    /// The TLS handshake failed; with the reason.
    Tls(String),
    /// The server is starting or stopping.
    Starting,
    /// The server does not answer.
    Silent,
    /// The server does not accept writes.
    ReadOnly,
    /// A pooler in a mode that does not preserve sessions.
    Pooler(PoolMode),
    /// A pooler refuses a startup parameter; with its message.
    Startup(String),
    /// Names without a schema do not resolve to `public`, but to this schema, or to none.
    Schema(Option<String>),
    /// `migrate` may not create anything in the schema `public`.
    MayNotCreate,
    /// The server is older than the oldest supported version; its version.
    TooOld(String),
    /// A setting of `options` was refused; with the server's message.
    Setting(String),
    /// Anything else, with its original message.
    Other(String),
}

impl DatabaseFault {
    /// Whether only a change of the address, the role or the server's configuration can fix it.
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Password
                | Self::RoleRefused(_)
                | Self::NoDatabase
                | Self::NoRight(_)
                | Self::Pooler(_)
                | Self::Startup(_)
                | Self::Schema(_)
                | Self::MayNotCreate
                | Self::TooOld(_)
                | Self::Setting(_)
        )
    }

    /// What is wrong, and what to do about it.
    pub fn message(&self, target: &DatabaseTarget) -> String {
        let DatabaseTarget { host, port, database, role } = target;
        match self {
            Self::Password => format!(
                "the password of the role {role} is wrong or missing, or the role does not exist: correct the \
                 address (in a password, write % as %25, @ as %40, / as %2F), or ALTER ROLE {role} PASSWORD …"
            ),
            Self::RoleRefused(said) => {
                format!("the server does not admit the role {role} ({said}): create the role, or add a line for it \
                         to pg_hba.conf")
            }
            Self::NoDatabase => format!("the database {database} does not exist: correct the address, or CREATE \
                                         DATABASE {database}"),
            Self::NoRight(said) => format!("the role {role} may not connect ({said}): GRANT CONNECT ON DATABASE {database} TO {role}"),
            Self::TooMany => "the server or the pooler has no connection left: raise max_connections there, or lower ECG_DATABASE_POOL_SIZE here".to_owned(),
            Self::Refused => format!("nothing listens on port {port} of {host}: start the server, or correct host \
                                      and port in the address"),
            Self::NoSuchHost => format!("the name {host} does not resolve: correct the host in the address, or the DNS of this machine"),
            Self::Unreachable => format!("there is no route to {host}: check routes, firewalls and network policies"),
            Self::NoSocket => format!("there is no socket .s.PGSQL.{port} in {host}: start the server, or correct folder and port in the address"),
            Self::NotPostgres => format!("the server on port {port} of {host} does not speak the PostgreSQL \
                                          protocol: correct host and port in the address"),
            Self::NoTls => "the server does not support TLS, which sslmode requires: enable ssl there, or write \
                            sslmode=prefer".to_owned(),
            Self::Tls(why) => format!("TLS failed ({why}): check sslmode, sslrootcert and the server's certificate"),
            Self::Starting => "the server is starting, stopping or recovering: the connection will be \
                               retried".to_owned(),
            Self::Silent => "it does not answer in time: check the network, and whether the server is \
                             overloaded".to_owned(),
            Self::ReadOnly => "it does not accept writes (a standby, or default_transaction_read_only): the address \
                               must lead to the primary".to_owned(),
            Self::Pooler(PoolMode::Transaction) => "it is behind a pooler in transaction mode, which does not \
                                                    preserve sessions: set pool_mode = session for this database, or \
                                                    connect to the server directly".to_owned(),
            Self::Pooler(PoolMode::Statement) => "it is behind a pooler in statement mode, which allows no \
                                                  transactions: set pool_mode = session for this database, or \
                                                  connect to the server directly".to_owned(),
            Self::Startup(said) => format!("the pooler refuses a parameter of the start ({said}): add it to its ignore_startup_parameters"),
            Self::Schema(Some(schema)) => format!(
                "names without a schema lead to {schema} there, and the gateway's tables live in public: give it a database of its own, and take search_path out of the address, or ALTER ROLE {role} RESET search_path (ALTER DATABASE {database} RESET search_path)"
            ),
            Self::Schema(None) => format!("the role {role} may not use the schema public: GRANT USAGE ON SCHEMA public TO {role}, and let its search_path hold public"),
            Self::MayNotCreate => format!(
                "the role {role} may not create tables in the schema public: run `migrate` as the owner of the \
                 database (ECG_MIGRATE_DATABASE_URL), or GRANT CREATE ON SCHEMA public TO {role}"
            ),
            Self::TooOld(version) => format!("it is PostgreSQL {version}, but 14 or later is required"),
            Self::Setting(said) => format!("the server refuses a setting in options ({said}): correct it in the address"),
            Self::Other(said) => said.clone(),
        }
    }
}
