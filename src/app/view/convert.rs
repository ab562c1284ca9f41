//! From the domain's types to what is shown.

use super::audit::JudgedEntry;
use super::{
    AcrRegistryView, AuditEntryView, Caller, FailureView, ImageCache, ImageCacheView, Me, Operation, OperationView,
    Status, StatusView, Transition, TransitionView,
};
use crate::domain::identity::caller::Scope;
use crate::domain::image_cache::spec::{AcrRegistry, EliminationStrategy, SIZE_GIB};

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        match status {
            Status::Pending => Self::Pending,
            Status::Preparing => Self::Preparing,
            Status::Creating => Self::Creating,
            Status::Ready => Self::Ready,
            Status::Failed => Self::Failed,
            Status::Updating => Self::Updating,
            Status::UpdateFailed => Self::UpdateFailed,
            Status::Deleting => Self::Deleting,
            Status::Deleted => Self::Deleted,
            Status::Expired => Self::Expired,
            Status::Evicted => Self::Evicted,
            Status::Lost => Self::Lost,
            Status::Unknown => Self::Unknown,
        }
    }
}

impl From<AcrRegistry> for AcrRegistryView {
    fn from(registry: AcrRegistry) -> Self {
        Self {
            instance_id: registry.instance_id,
            instance_name: registry.instance_name,
            region_id: registry.region_id,
            domains: registry.domains,
            arn_service: registry.arn_service,
            arn_user: registry.arn_user,
        }
    }
}

fn word(strategy: EliminationStrategy) -> &'static str {
    match strategy {
        EliminationStrategy::Keep => "keep",
        EliminationStrategy::Lru => "lru",
    }
}

impl From<ImageCache> for ImageCacheView {
    fn from(cache: ImageCache) -> Self {
        let spec = cache.spec;
        let size_gib = spec.size_gib.unwrap_or(*SIZE_GIB.start());
        Self {
            id: cache.id.to_string(),
            team: cache.team.into(),
            name: spec.name,
            cloud_account: cache.account,
            region: spec.region.into(),
            images: spec.images,
            status: cache.status.into(),
            provider_status: cache.provider_status,
            progress_percent: cache.progress_percent,
            generation: cache.generation,
            version: cache.version,
            operation_id: cache.operation.to_string(),
            eci_cache_id: cache.eci_cache_id,
            container_group_id: cache.container_group_id,
            snapshot_id: cache.snapshot_id,
            flash_snapshot_id: cache.flash_snapshot_id,
            vswitch_ids: spec.vswitch_ids,
            security_group_id: spec.security_group_id,
            eip_instance_id: spec.eip_instance_id,
            size_gib: spec.size_gib,
            retention_days: spec.retention_days,
            flash: spec.flash,
            reuse_layers: spec.reuse_layers,
            tags: spec.tags,
            zone_id: spec.zone_id,
            resource_group_id: spec.resource_group_id,
            acr_registries: spec.acr_registries.into_iter().map(Into::into).collect(),
            plain_http_registries: spec.plain_http_registries,
            insecure_registries: spec.insecure_registries,
            annotations: spec.annotations,
            os_type: spec.os_type.map(|os| os.as_wire().to_ascii_lowercase()),
            standard_copy_count: spec.standard_copy_count,
            flash_copy_count: spec.flash_copy_count,
            elimination_strategy: spec.elimination_strategy.map(|strategy| word(strategy).to_owned()),
            last_matched_at: cache.last_matched_at,
            failure: cache.failure.map(|failure| FailureView::explained(failure, Some(size_gib))),
            created_at: cache.created_at,
            updated_at: cache.updated_at,
            ready_at: cache.ready_at,
            expires_at: cache.expires_at,
            drift: cache.reconciled.drift.into_iter().map(Into::into).collect(),
            dropped_at: cache.reconciled.gone_at,
        }
    }
}

impl From<Operation> for OperationView {
    fn from(operation: Operation) -> Self {
        Self {
            id: operation.id.to_string(),
            team: operation.team.to_string(),
            kind: operation.progress.kind.as_str().into(),
            state: operation.shown_state().into(),
            image_cache_id: operation.cache.to_string(),
            waits_for: None,
            attempts: operation.progress.attempts,
            failure: operation.error.map(|error| FailureView::explained(error.into(), None)),
            created_at: operation.created_at,
            finished_at: operation.finished_at,
        }
    }
}

impl From<Transition> for TransitionView {
    fn from(transition: Transition) -> Self {
        Self {
            id: transition.id.to_string(),
            sequence: transition.sequence,
            generation: transition.generation,
            from: transition.from.map(Into::into),
            to: transition.to.into(),
            provider_status: transition.provider_status,
            reason: transition.reason,
            at: transition.at,
        }
    }
}

impl From<JudgedEntry> for AuditEntryView {
    fn from(judged: JudgedEntry) -> Self {
        let entry = judged.found.entry;
        Self {
            verified: judged.verified,
            id: entry.id.to_string(),
            at: entry.at,
            team: entry.team.map(Into::into),
            subject: entry.subject,
            credential_id: entry.credential,
            door: entry.door,
            request_id: entry.request_id,
            address: entry.address.map(|address| address.to_string()),
            action: entry.action,
            resource: entry.resource,
            outcome: entry.outcome.as_str().into(),
            http_status: entry.http_status,
            code: entry.code,
            duration_ms: entry.duration_ms,
            cloud_ms: entry.cloud_ms,
            operation_id: entry.operation.map(|id| id.to_string()),
            provider_request_id: entry.provider_request_id,
            parameters: entry.parameters,
        }
    }
}

impl From<&Caller> for Me {
    fn from(caller: &Caller) -> Self {
        Self {
            team: caller.team.to_string(),
            subject: caller.subject.clone(),
            credential_id: caller.credential.clone(),
            scopes: Scope::ALL.iter().filter(|scope| caller.may(**scope)).map(|scope| scope.as_str().into()).collect(),
        }
    }
}
