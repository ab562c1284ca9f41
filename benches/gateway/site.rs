//! The environment in which the gateway program is measured: a database of a given size with all its teams, the
//! stand-in in this process, and a token for each team.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use eci_cache_gateway::domain::clock::{Clock, SystemClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::Scope;
use eci_cache_gateway::domain::policy::Policy;
use eci_cache_gateway::localpg::Server;
use eci_cache_gateway::sim::StandIn;
use sqlx::postgres::PgConnectOptions;
use sqlx::types::Json;
use sqlx::{Connection as _, Executor as _, PgConnection};
use uuid::Uuid;

use crate::database::connect_to;
use crate::testbed::{FIRST, ID_STEM, admin, database, standin, token, token_with};

/// The database, which is created again for each size.
pub(crate) const DATABASE: &str = "ecg_bench_site";
/// A plain table with the columns and indexes of the audit, into which the references write.
const PLAIN_AUDIT: &str = "CREATE TABLE bench_audit (LIKE audit_entries INCLUDING ALL);
    GRANT SELECT, INSERT ON bench_audit TO eci_runtime";
/// The images of the first image cache of each team.
const FIRST_IMAGES: &str = "SELECT to_jsonb(images) FROM image_caches WHERE id < $1 ORDER BY id";

/// The number of image caches and teams.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) caches: u64,
    pub(crate) teams: u64,
}

/// Everything except the gateway.
pub(crate) struct Site {
    pub(crate) size: Size,
    /// The token of each team.
    pub(crate) tokens: Vec<String>,
    /// The images of one image cache of each team, as JSON lists.
    pub(crate) images: Vec<String>,
    /// The address of the cloud.
    pub(crate) cloud: SocketAddr,
    /// The database with the gateway's role.
    pub(crate) url: String,
    /// The directory of the database's socket.
    pub(crate) socket: String,
    /// The pid of the postmaster.
    pub(crate) postmaster: u32,
    /// A token that may create access keys.
    pub(crate) admin_token: String,
    owner: PgConnectOptions,
    _standin: StandIn,
}

impl Site {
    /// Creates the database and starts the stand-in.
    pub(crate) async fn build(server: &Server, size: Size) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let standin = standin(&clock, &Arc::new(Entropy::from_seed(1))).await?;
        let team = format!("'team-' || (n - {FIRST}) % {}", size.teams);
        database(server, DATABASE, size.caches, &team).await.context("the database")?;
        let mut owner = PgConnection::connect_with(&connect_to(server, DATABASE)).await?;
        owner.execute(PLAIN_AUDIT).await?;
        sqlx::query("INSERT INTO default_policy (policy, version, updated_at) VALUES ($1, 1, now())")
            .bind(Json(Policy::open()))
            .execute(&mut owner)
            .await?;
        let behind = Uuid::parse_str(&format!("{ID_STEM}{}", FIRST + size.teams))?;
        let images: Vec<Json<Vec<String>>> =
            sqlx::query_scalar(FIRST_IMAGES).bind(behind).fetch_all(&mut owner).await?;
        let postmaster: i32 = sqlx::query_scalar("SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int")
            .fetch_one(&mut owner)
            .await?;
        let now = clock.now();
        let tokens = (0..size.teams).map(|team| token(now, &format!("team-{team}"))).collect::<anyhow::Result<_>>()?;
        let url = server.database_url().replacen("/postgres?", &format!("/{DATABASE}?"), 1);
        Ok(Self {
            size,
            tokens,
            images: images.iter().map(|images| serde_json::to_string(&images.0)).collect::<Result<_, _>>()?,
            cloud: standin.url().trim_start_matches("http://").parse()?,
            url: url.replacen(&format!("user={}&", server.user()), "user=eci_runtime&", 1),
            socket: server.socket_dir().display().to_string(),
            postmaster: u32::try_from(postmaster)?,
            admin_token: token_with(now, "team-0", &Scope::ALL)?,
            owner: connect_to(server, DATABASE),
            _standin: standin,
        })
    }

    /// Vacuums, as the database would do at some time, and writes a checkpoint.
    pub(crate) async fn put_in_order(&self) -> anyhow::Result<()> {
        let mut owner = PgConnection::connect_with(&self.owner).await?;
        owner.execute("VACUUM ANALYZE image_caches").await?;
        owner.execute("CHECKPOINT").await?;
        Ok(())
    }

    /// Makes each create take this long at the cloud from now on.
    pub(crate) async fn cloud_takes(&self, milliseconds: u64) -> anyhow::Result<()> {
        admin(self.cloud, "DELETE", "faults", "").await?;
        if milliseconds == 0 {
            return Ok(());
        }
        let fault =
            format!(r#"{{"action":"CreateImageCache","kind":"latency","ms":{milliseconds},"times":1000000000}}"#);
        admin(self.cloud, "POST", "faults", &fault).await
    }
}
