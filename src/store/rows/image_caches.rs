//! `image_caches`: one row for each image cache that was ever requested.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer};
use sqlx::FromRow;
use uuid::Uuid;

use crate::domain::image_cache::content::fingerprint;
use crate::domain::image_cache::drift::Reconciled;
use crate::domain::image_cache::spec::ImageCacheSpec;
use crate::domain::image_cache::{BuildEvidence, Failure, ImageCache};
use crate::store::StoreError;
use crate::store::columns::{ColumnSet, table};
use crate::store::stored_names::SPEC;
use crate::store::values::{json, jsonb, word};

/// Reads a uuid from JSON.
fn uuid<'de, D: Deserializer<'de>>(from: D) -> Result<Uuid, D::Error> {
    let text = String::deserialize(from)?;
    Uuid::parse_str(&text).map_err(serde::de::Error::custom)
}

table! {
    /// A row of `image_caches`; as JSON, what `row_to_json` returns for it.
    #[derive(Debug, FromRow, Deserialize)]
    pub(in crate::store) struct ImageCacheRow of "image_caches" {
        #[serde(deserialize_with = "uuid")]
        id: Uuid = new.id.uuid(),
        team: String = new.team.as_str(),
        account: String = new.account.as_str(),
        spec: serde_json::Value = SPEC.write(&new.spec),
        status: String = new.status.as_str(),
        provider_status: Option<String> = new.provider_status.as_deref(),
        generation: i32 = new.generation,
        version: i64 = new.version,
        sequence: i64 = new.sequence,
        #[serde(deserialize_with = "uuid")]
        operation: Uuid = new.operation.uuid(),
        eci_cache_id: Option<String> = new.eci_cache_id.as_deref(),
        container_group_id: Option<String> = new.container_group_id.as_deref(),
        snapshot_id: Option<String> = new.snapshot_id.as_deref(),
        flash_snapshot_id: Option<String> = new.flash_snapshot_id.as_deref(),
        progress_percent: Option<i32> = new.progress_percent,
        failure: Option<serde_json::Value> = new.failure.as_ref().map(jsonb),
        evidence: serde_json::Value = jsonb(&new.evidence),
        misses: i32 = new.misses,
        created_at: DateTime<Utc> = new.created_at,
        updated_at: DateTime<Utc> = new.updated_at,
        ready_at: Option<DateTime<Utc>> = new.ready_at,
        expires_at: Option<DateTime<Utc>> = new.expires_at,
        last_matched_at: Option<DateTime<Utc>> = new.last_matched_at,
        provider: Option<serde_json::Value> = new.provider.as_ref(),
        drift: Option<serde_json::Value> = (!new.reconciled.drift.is_empty()).then(|| jsonb(&new.reconciled.drift)),
        expiry_told: Option<DateTime<Utc>> = new.reconciled.expiry_told,
        gone_at: Option<DateTime<Utc>> = new.reconciled.gone_at,
        poll_bucket: Option<String> = new.poll_bucket.as_deref(),
    }
    written from |new: &'a ImageCache| {
        region: String = new.spec.region.as_str(),
        name: String = new.spec.name.as_str(),
        images: Vec<String> => "ARRAY(SELECT jsonb_array_elements_text(n.spec -> 'images'))",
        content: Vec<u8> = fingerprint(&new.spec),
    }
}

impl ImageCacheRow {
    /// The columns that find the row in the version that was read.
    pub(in crate::store) const FOUND_BY: &'static [&'static str] = &["id", "team", "version"];
    /// The columns that a change may write, and those that find the row: all except what an image cache keeps for life.
    pub(in crate::store) const OF_STEP: ColumnSet = ColumnSet::But(&["account", "region", "created_at", "poll_bucket"]);

    /// Its position in its team's list.
    pub(in crate::store) fn id(&self) -> Uuid {
        self.id
    }
}

impl TryFrom<ImageCacheRow> for ImageCache {
    type Error = StoreError;

    fn try_from(row: ImageCacheRow) -> Result<Self, StoreError> {
        const TABLE: &str = "image_caches";
        Ok(Self {
            id: row.id.into(),
            team: word(row.team.parse().ok(), TABLE, "team")?,
            account: row.account,
            spec: SPEC.read::<ImageCacheSpec>(row.spec, TABLE, "spec")?,
            status: word(row.status.parse().ok(), TABLE, "status")?,
            provider_status: row.provider_status,
            generation: row.generation,
            version: row.version,
            sequence: row.sequence,
            operation: row.operation.into(),
            eci_cache_id: row.eci_cache_id,
            container_group_id: row.container_group_id,
            snapshot_id: row.snapshot_id,
            flash_snapshot_id: row.flash_snapshot_id,
            progress_percent: row.progress_percent,
            failure: row.failure.map(|value| json::<Failure>(value, TABLE, "failure")).transpose()?,
            evidence: json::<BuildEvidence>(row.evidence, TABLE, "evidence")?,
            misses: row.misses,
            created_at: row.created_at,
            updated_at: row.updated_at,
            ready_at: row.ready_at,
            expires_at: row.expires_at,
            last_matched_at: row.last_matched_at,
            provider: row.provider,
            reconciled: Reconciled {
                drift: row.drift.map(|value| json(value, TABLE, "drift")).transpose()?.unwrap_or_default(),
                expiry_told: row.expiry_told,
                gone_at: row.gone_at,
            },
            poll_bucket: row.poll_bucket,
        })
    }
}
