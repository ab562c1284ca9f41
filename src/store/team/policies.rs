//! The rules for one team in one place: its row, the default policy and the region's profile, in one query that is
//! shared by all who ask at the same time ([`crate::store::batch`]). Everything committed before the question is in the
//! answer.

use crate::store::rows::policies::ProfileRow;
use crate::store::rows::policies::TeamRow;
use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Row as _};

use crate::domain::identity::caller::TeamId;
use crate::domain::policy::team::Team;
use crate::domain::policy::{Policy, RegionProfile};
use crate::domain::region::Region;
use crate::store::batch::{BatchWork, Batches};
use crate::store::database::pool::Pool;
use crate::store::stored_names::POLICY;
use crate::store::unreadable::alone;
use crate::store::values::json;
use crate::store::{Store, StoreError};

/// The rules for a team in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamRules {
    /// Its row, if it is registered.
    pub team: Option<Team>,
    /// The default policy, if somebody has written one.
    pub default: Option<Policy>,
    /// The defaults of the region in each cloud account.
    pub profiles: Vec<RegionProfile>,
}

/// The most questions that wait: more than the number of requests that are ever worked on at once.
const QUEUE: usize = 16_384;
/// The queue of rule reads.
pub(in crate::store) type RuleReads = Batches<RulesWork>;

pub(in crate::store) struct RulesWork(Pool);

/// The team, and where.
pub(in crate::store) struct RulesKey {
    team: TeamId,
    region: Option<Region>,
}

/// Starts the reads on a pool of one connection: while one answer is on its way, the next questions gather.
pub(in crate::store) fn start(pool: Pool) -> RuleReads {
    Batches::start(RulesWork(pool), 1, QUEUE)
}

impl BatchWork for RulesWork {
    type Item = RulesKey;
    type Done = TeamRules;

    async fn all(&self, wanted: &[RulesKey]) -> Result<Vec<TeamRules>, StoreError> {
        // Rows as JSON: three tables in one answer, each of which may have no row. What applies to all teams is sent
        // once.
        let rows = sqlx::query(
            "SELECT (SELECT to_jsonb(t) FROM teams t WHERE t.id = w.team) AS team,
                 CASE WHEN w.place = 1 THEN (SELECT policy FROM default_policy) END AS policy,
                 CASE WHEN w.place = 1 THEN
                     (SELECT jsonb_agg(to_jsonb(p)) FROM region_profiles p WHERE p.region = ANY ($2)) END AS profiles
             FROM unnest($1::text[]) WITH ORDINALITY AS w (team, place) ORDER BY w.place",
        )
        .bind(wanted.iter().map(|wanted| wanted.team.as_str()).collect::<Vec<_>>())
        .bind(wanted.iter().filter_map(|wanted| wanted.region.as_ref()).map(Region::as_str).collect::<Vec<_>>())
        .fetch_all(&self.0)
        .await?;
        let Some(first) = rows.first() else { return Ok(Vec::new()) };
        let (default, profiles) = (default_of(first)?, profiles_of(first)?);
        wanted.iter().zip(&rows).map(|(wanted, row)| rules_of(wanted, row, default.as_ref(), &profiles)).collect()
    }
}

fn default_of(row: &PgRow) -> Result<Option<Policy>, StoreError> {
    let policy: Option<serde_json::Value> = row.try_get("policy")?;
    policy.map(|policy| POLICY.read(policy, "default_policy", "policy")).transpose()
}

fn profiles_of(row: &PgRow) -> Result<Vec<RegionProfile>, StoreError> {
    let Some(profiles) = row.try_get::<Option<serde_json::Value>, _>("profiles")? else { return Ok(Vec::new()) };
    let profiles: Vec<ProfileRow> = json(profiles, "region_profiles", "account")?;
    profiles.into_iter().map(TryInto::try_into).collect()
}

fn rules_of(
    wanted: &RulesKey,
    row: &PgRow,
    default: Option<&Policy>,
    profiles: &[RegionProfile],
) -> Result<TeamRules, StoreError> {
    let team: Option<serde_json::Value> = row.try_get("team")?;
    let there = |profile: &&RegionProfile| wanted.region.as_ref() == Some(&profile.id.region);
    Ok(TeamRules {
        team: team.map(|team| json::<TeamRow>(team, "teams", "id")?.try_into()).transpose()?,
        default: default.cloned(),
        profiles: profiles.iter().filter(there).cloned().collect(),
    })
}

impl Store {
    /// The rules for the team in the region, read after this call and shared with all who ask at the same time; without
    /// a region, those that apply everywhere.
    pub async fn rules(&self, team: &TeamId, region: Option<&Region>) -> Result<TeamRules, StoreError> {
        self.rules.ask(RulesKey { team: team.clone(), region: region.cloned() }).await
    }

    /// The team's row.
    pub async fn team(&self, team: &TeamId) -> Result<Option<Team>, StoreError> {
        let sql = format!("SELECT {} FROM teams t WHERE id = $1", TeamRow::columns("t"));
        let row: Option<TeamRow> =
            sqlx::query_as(AssertSqlSafe(sql)).bind(team.as_str()).fetch_optional(&self.requests).await?;
        alone(row)
    }
}
