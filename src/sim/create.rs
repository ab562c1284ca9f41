//! `CreateImageCache`.

use std::collections::BTreeMap;

use chrono::Duration;
use serde_json::{Map, Value};

use super::answer::{Outcome, Refusal};
use super::images::{self, Login};
use super::machine::{Build, Order};
use super::params::Params;
use super::state::{Cache, Ground, State, new_id};
use crate::domain::clock::Instant;

/// The size that the cloud takes where none is given, in GiB.
const DEFAULT_SIZE: i64 = 20;

/// Checks the parameters and begins a cache.
pub(super) fn run(state: &mut State, params: &Params, ground: &Ground<'_>) -> Outcome {
    let wanted = Wanted::read(params)?;
    let region = params.required("RegionId")?;
    let name = wanted.name.clone().ok_or_else(|| Refusal::missing("ImageCacheName"))?;
    if wanted.images.is_empty() {
        return Err(Refusal::missing("Image.1"));
    }
    let id = new_id("imc-", region, ground.entropy);
    let container_group_id = new_id("eci-", region, ground.entropy);
    let size_gib = wanted.size_gib.unwrap_or(DEFAULT_SIZE);
    let (flash, reuse) = (wanted.flash.unwrap_or(false), wanted.reuse.unwrap_or(false));
    let order = wanted.order(&name, region, &wanted.images, size_gib, (flash, reuse), ground);
    state.add(Cache {
        id: id.clone(),
        name,
        region: region.to_owned(),
        size_gib,
        flash,
        reuse,
        created_at: ground.now,
        expires_at: wanted.expires_at(ground.now),
        container_group_id: container_group_id.clone(),
        build: Build::first(&order),
        past: Vec::new(),
        images: wanted.images,
        resource_group_id: wanted.resource_group_id,
        elimination_strategy: wanted.elimination_strategy,
        tags: wanted.tags,
    });
    let answer = [("ImageCacheId", id), ("ContainerGroupId", container_group_id)];
    Ok(answer.map(|(key, value)| (key.to_owned(), Value::String(value))).into_iter().collect::<Map<_, _>>())
}

/// What a create and an update have in common: everything optional, within its limits.
pub(super) struct Wanted {
    pub(super) name: Option<String>,
    pub(super) images: Vec<String>,
    pub(super) size_gib: Option<i64>,
    pub(super) retention_days: Option<i64>,
    pub(super) flash: Option<bool>,
    pub(super) reuse: Option<bool>,
    pub(super) resource_group_id: Option<String>,
    pub(super) elimination_strategy: Option<String>,
    pub(super) tags: Vec<(String, String)>,
    logins: Vec<Login>,
}

impl Wanted {
    /// Reads and checks the parameters.
    pub(super) fn read(params: &Params) -> Result<Self, Refusal> {
        let vswitches = params.text("VSwitchId").map_or(0, |ids| ids.split(',').count());
        if vswitches > 10 {
            return Err(Refusal::invalid("VSwitchId", "at most 10 vSwitches, joined by commas"));
        }
        let elimination_strategy = params.owned("EliminationStrategy");
        if elimination_strategy.as_deref().is_some_and(|strategy| strategy != "LRU") {
            return Err(Refusal::invalid("EliminationStrategy", "it must be empty or LRU"));
        }
        Ok(Self {
            name: params.owned("ImageCacheName"),
            images: params.list("Image", 20)?,
            size_gib: params.number("ImageCacheSize", 20..=32_768)?,
            retention_days: params.number("RetentionDays", 1..=65_536)?,
            flash: params.flag("Flash")?,
            reuse: params.flag("AutoMatchImageCache")?,
            resource_group_id: params.owned("ResourceGroupId"),
            elimination_strategy,
            tags: params.tags()?,
            logins: logins(params)?,
        })
    }

    /// When a cache with this retention, asked for now, expires.
    pub(super) fn expires_at(&self, now: Instant) -> Option<Instant> {
        self.retention_days.map(|days| now + Duration::days(days))
    }

    /// The build of `images`. A login counts for the request that brought it, and no longer.
    pub(super) fn order(
        &self,
        name: &str,
        region: &str,
        images: &[String],
        size_gib: i64,
        (flash, reuse): (bool, bool),
        ground: &Ground<'_>,
    ) -> Order {
        Order {
            begun_at: ground.now,
            speed: ground.speed,
            cache_name: name.to_owned(),
            images: images.to_vec(),
            flash,
            reuse,
            failure: images::failure(images, &self.logins, size_gib),
            snapshot_id: new_id("s-", region, ground.entropy),
            flash_snapshot_id: new_id("s-", region, ground.entropy),
        }
    }
}

fn logins(params: &Params) -> Result<Vec<Login>, Refusal> {
    let read = |login: BTreeMap<&str, &str>| {
        let field = |name: &str| login.get(name).copied().filter(|value| !value.is_empty());
        let server = field("Server").ok_or_else(|| Refusal::missing("ImageRegistryCredential.N.Server"))?;
        if server.contains("://") {
            return Err(Refusal::invalid("ImageRegistryCredential", "Server must not have http:// or https://"));
        }
        let good = field("UserName").is_some() && field("Password").is_some_and(|password| password != "wrong");
        Ok(Login { server: server.to_owned(), good })
    };
    params.objects("ImageRegistryCredential", 100)?.into_iter().map(read).collect()
}
