//! What is recorded before anything is sent.

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::{Deserialize, Serialize};

use crate::app::operations::Operations;
use crate::app::operations::names::OperationNames;
use crate::app::{Call, Error};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::identity::caller::Caller;
use crate::domain::ids::{CacheId, OperationId};
use crate::domain::image_cache::drift::Reconciled;
use crate::domain::image_cache::spec::{ImageCacheSpec, RegistryCredential};
use crate::domain::image_cache::status::Status;
use crate::domain::image_cache::{BuildEvidence, ImageCache};
use crate::domain::operation::{Operation, OperationKind, OperationState, Progress};
use crate::store::NewOperation;

/// The API's operation id for each kind of operation, which is the action of its audit entries.
pub(in crate::app) fn action(kind: OperationKind) -> &'static str {
    match kind {
        OperationKind::Create => "create_image_cache",
        OperationKind::Update => "update_image_cache",
        OperationKind::Delete => "delete_image_cache",
    }
}

/// A registry login in the form in which it is encrypted.
#[derive(Serialize, Deserialize)]
struct SealedLogin {
    server: String,
    user_name: String,
    password: String,
}

impl Operations {
    /// The row for a cache that was just requested; `operation` is its create.
    pub(in crate::app) fn new_cache(
        &self,
        caller: &Caller,
        spec: &ImageCacheSpec,
        account: &str,
        operation: OperationId,
    ) -> ImageCache {
        let now = self.base.now();
        let id = CacheId::new(now, self.base.entropy());
        ImageCache {
            id,
            team: caller.team.clone(),
            account: account.to_owned(),
            spec: spec.clone(),
            status: Status::Pending,
            provider_status: None,
            generation: 1,
            version: 1,
            sequence: 1,
            operation,
            eci_cache_id: None,
            container_group_id: None,
            snapshot_id: None,
            flash_snapshot_id: None,
            progress_percent: None,
            failure: None,
            created_at: now,
            updated_at: now,
            ready_at: None,
            expires_at: None,
            evidence: BuildEvidence::default(),
            last_matched_at: None,
            provider: None,
            misses: 0,
            reconciled: Reconciled::default(),
            poll_bucket: self.bucket_of(id, spec),
        }
    }

    /// The intent to record, leased by us from the start, with the audit entry of the request.
    #[expect(clippy::too_many_arguments, reason = "each is one fact of one row; a struct would only rename them")]
    pub(in crate::app) fn intent(
        &self,
        caller: &Caller,
        call: &Call,
        kind: OperationKind,
        cache: &ImageCache,
        spec: ImageCacheSpec,
        logins: &[RegistryCredential],
        OperationNames { key, operation: id }: OperationNames,
    ) -> NewOperation {
        let now = self.base.now();
        let operation = Operation {
            id,
            team: caller.team.clone(),
            cache: cache.id,
            generation: cache.generation + i32::from(kind == OperationKind::Update),
            progress: Progress::new(kind),
            state: OperationState::Running,
            spec,
            changes: None,
            marks: Vec::new(),
            error: None,
            provider_request_id: None,
            subject: caller.subject.clone(),
            credential: Some(caller.credential.clone()),
            request_id: call.origin.request_id.clone(),
            created_at: now,
            finished_at: None,
        };
        NewOperation {
            credentials: self.seal_logins(id, logins),
            lease_token: self.base.uuid(),
            lease_seconds: self.base.settings().work.lease.as_secs_f64(),
            taken: self.base.uptime(),
            audit: self.requested(caller, call, &operation, &cache.account),
            account: self.held_account(&cache.account).filter(|_| kind == OperationKind::Create),
            operation,
            key,
            noted: None,
            waiter: None,
        }
    }

    /// The account, if it has a row that must not be deleted while something is recorded for it.
    pub(in crate::app) fn held_account(&self, account: &str) -> Option<String> {
        (account != self.base.settings().account).then(|| account.to_owned())
    }

    fn requested(&self, caller: &Caller, call: &Call, operation: &Operation, account: &str) -> AuditEntry {
        let mut entry = Actor::caller(caller, &call.origin).entry(
            self.base.audit_id(),
            self.base.now(),
            action(operation.progress.kind),
            Outcome::Accepted,
        );
        entry.resource = Some(operation.cache.to_string());
        entry.operation = Some(operation.id);
        entry.duration_ms = Some(self.base.milliseconds_since(call));
        entry.parameters = self.base.audit_parameters(call);
        let mut keep = |name: &str, value: String| entry.parameters.insert(name.to_owned(), value);
        keep("name", operation.spec.name.clone());
        keep("cloud_account", account.to_owned());
        keep("region", operation.spec.region.to_string());
        keep("images", operation.spec.images.join(" "));
        keep("generation", operation.generation.to_string());
        entry
    }

    fn seal_logins(&self, operation: OperationId, logins: &[RegistryCredential]) -> Option<Vec<u8>> {
        if logins.is_empty() {
            return None;
        }
        let plain: Vec<SealedLogin> = logins
            .iter()
            .map(|login| SealedLogin {
                server: login.server.clone(),
                user_name: login.user_name.clone(),
                password: login.password.expose_secret().to_owned(),
            })
            .collect();
        let plain = serde_json::to_vec(&plain).expect("a list of strings always becomes JSON");
        // Wiped when dropped, so that the password does not stay behind in freed memory.
        let plain = SecretSlice::from(plain);
        Some(self.base.sealer().seal(plain.expose_secret(), &login_context(operation), self.base.entropy()))
    }

    /// The registry logins of an operation, decrypted for signing.
    pub(in crate::app) fn open_logins(
        &self,
        operation: OperationId,
        sealed: Option<&[u8]>,
    ) -> Result<Vec<RegistryCredential>, Error> {
        let Some(sealed) = sealed else { return Ok(Vec::new()) };
        let plain = self
            .base
            .sealer()
            .open(sealed, &login_context(operation))
            .map_err(|error| Error::Internal(error.into()))?;
        let logins: Vec<SealedLogin> = serde_json::from_slice(plain.expose_secret())
            .map_err(|_| Error::Internal("sealed logins cannot be read".into()))?;
        let open = |login: SealedLogin| RegistryCredential {
            server: login.server,
            user_name: login.user_name,
            password: SecretString::from(login.password),
        };
        Ok(logins.into_iter().map(open).collect())
    }
}

fn login_context(operation: OperationId) -> String {
    format!("registry_logins:{operation}")
}
