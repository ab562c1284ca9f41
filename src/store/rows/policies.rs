//! `teams` and `region_profiles`: what an administrator registered.

use chrono::{DateTime, Utc};
use sqlx::FromRow;

use crate::domain::policy::team::Team;
use crate::domain::policy::{ProfileId, RegionProfile};
use crate::store::StoreError;
use crate::store::columns::row;
use crate::store::stored_names::POLICY;
use crate::store::values::word;
use serde::Deserialize;

row! {
    /// A row of `teams`.
    #[derive(FromRow, Deserialize)]
    pub(in crate::store) struct TeamRow {
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
}

row! {
    /// A row of `region_profiles`.
    #[derive(FromRow, Deserialize)]
    pub(in crate::store) struct ProfileRow {
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
}

impl TryFrom<TeamRow> for Team {
    type Error = StoreError;

    fn try_from(row: TeamRow) -> Result<Self, StoreError> {
        const TABLE: &str = "teams";
        Ok(Self {
            id: word(row.id.parse().ok(), TABLE, "id")?,
            display_name: row.display_name,
            contacts: row.contacts,
            cost_centre: row.cost_centre,
            // A policy that a later version wrote is refused rather than half understood.
            policy: row.policy.map(|policy| POLICY.read(policy, TABLE, "policy")).transpose()?,
            disabled_at: row.disabled_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    }
}

impl TryFrom<ProfileRow> for RegionProfile {
    type Error = StoreError;

    fn try_from(row: ProfileRow) -> Result<Self, StoreError> {
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
