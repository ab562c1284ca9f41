//! What holds for one team in one place: its row, the default policy and the region's profile, in one look.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use sqlx::{FromRow, Row as _};

use super::rows::{json, word};
use super::{Error, Store};
use crate::domain::caller::TeamId;
use crate::domain::policy::{Policy, ProfileId, RegionProfile};
use crate::domain::region::Region;
use crate::domain::team::Team;

/// What holds for a team in a region.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Its row, if somebody registered it.
    pub team: Option<Team>,
    /// The default policy, if somebody wrote one.
    pub default: Option<Policy>,
    /// What the region fills in, in each cloud account.
    pub profiles: Vec<RegionProfile>,
}

/// A row of `teams`.
#[derive(FromRow, Deserialize)]
pub(super) struct TeamRow {
    id: String,
    display_name: String,
    contacts: Vec<String>,
    cost_centre: Option<String>,
    policy: Option<serde_json::Value>,
    disabled_at: Option<DateTime<Utc>>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// A row of `region_profiles`.
#[derive(FromRow, Deserialize)]
pub(super) struct ProfileRow {
    account: String,
    region: String,
    vswitch_ids: Vec<String>,
    security_group_id: Option<String>,
    eip_instance_id: Option<String>,
    resource_group_id: Option<String>,
    zone_id: Option<String>,
    version: i64,
    updated_at: DateTime<Utc>,
}

impl TryFrom<TeamRow> for Team {
    type Error = Error;

    fn try_from(row: TeamRow) -> Result<Self, Error> {
        const TABLE: &str = "teams";
        Ok(Self {
            id: word(row.id.parse().ok(), TABLE, "id")?,
            display_name: row.display_name,
            contacts: row.contacts,
            cost_centre: row.cost_centre,
            // One that a later version wrote is refused rather than half understood.
            policy: row.policy.map(|policy| json(policy, TABLE, "policy")).transpose()?,
            disabled_at: row.disabled_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl TryFrom<ProfileRow> for RegionProfile {
    type Error = Error;

    fn try_from(row: ProfileRow) -> Result<Self, Error> {
        let region = word(row.region.parse().ok(), "region_profiles", "region")?;
        Ok(Self {
            id: ProfileId { account: row.account, region },
            vswitch_ids: row.vswitch_ids,
            security_group_id: row.security_group_id,
            eip_instance_id: row.eip_instance_id,
            resource_group_id: row.resource_group_id,
            zone_id: row.zone_id,
            version: row.version,
            updated_at: row.updated_at,
        })
    }
}

impl Store {
    /// What holds for the team in the region; without a region, everywhere.
    pub async fn rules(&self, team: &TeamId, region: Option<&Region>) -> Result<Rules, Error> {
        // Rows as JSON: three tables in one answer, each of which may have none.
        let row = sqlx::query(
            "SELECT (SELECT to_jsonb(t) FROM teams t WHERE t.id = $1) AS team,
                 (SELECT policy FROM default_policy) AS policy,
                 (SELECT jsonb_agg(to_jsonb(p)) FROM region_profiles p WHERE p.region = $2) AS profiles",
        )
        .bind(team.as_str())
        .bind(region.map(Region::as_str))
        .fetch_one(&self.requests)
        .await?;
        let (team, profiles): (Option<serde_json::Value>, Option<serde_json::Value>) =
            (row.try_get("team")?, row.try_get("profiles")?);
        let profiles: Vec<ProfileRow> =
            profiles.map_or(Ok(Vec::new()), |profiles| json(profiles, "region_profiles", "account"))?;
        let policy: Option<serde_json::Value> = row.try_get("policy")?;
        Ok(Rules {
            team: team.map(|team| json::<TeamRow>(team, "teams", "id")?.try_into()).transpose()?,
            default: policy.map(|policy| json(policy, "default_policy", "policy")).transpose()?,
            profiles: profiles.into_iter().map(TryInto::try_into).collect::<Result<_, _>>()?,
        })
    }

    /// The team's row.
    pub async fn team(&self, team: &TeamId) -> Result<Option<Team>, Error> {
        let row: Option<TeamRow> = sqlx::query_as("SELECT * FROM teams WHERE id = $1")
            .bind(team.as_str())
            .fetch_optional(&self.requests)
            .await?;
        row.map(TryInto::try_into).transpose()
    }
}
