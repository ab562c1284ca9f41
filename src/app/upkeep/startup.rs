//! Checks whether a gateway may start: its database, its role and its keys are checked before anything is served or
//! written.
//!
//! A wrong key does damage that the right one cannot repair: a checkpoint signed with another audit key stays in the
//! log permanently, and the right key cannot decrypt what another master key encrypted. So one checkpoint is verified
//! and some stored secrets are decrypted first.
//!
//! The command line calls it, and decides whether to wait and try again.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::audit::checkpoints;
use crate::app::upkeep::Upkeep;
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::note;
use crate::crypto::seal::{OpenError, Sealer};
use crate::domain::database::fault::{DatabaseFault, DatabaseTarget};
use crate::domain::identity::caller::Scope;
use crate::store::{self, SEALED, Store, WeakSetting};

/// The most keys that one log line names.
const MOST_NAMED: i64 = 50;

/// Why a gateway may not start.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The database cannot be used.
    #[error("{target}: {}", .fault.message(.target))]
    Database {
        /// Where the database is, and the role that logs in.
        target: DatabaseTarget,
        /// Why it cannot be used. The text also says what to do.
        fault: DatabaseFault,
    },
    /// Not all migrations of this binary are applied.
    #[error("the database schema does not match this version: run `migrate`")]
    NotMigrated,
    /// The role could alter the audit log, in the ways listed.
    #[error(
        "this database role could alter the audit: {}. Use a role that owns nothing and can only read and add audit \
         entries, as created by deploy/postgres/roles.sql; only `migrate` runs as the owner",
        .0.join("; ")
    )]
    TooStrong(Vec<String>),
    /// The newest checkpoint was signed with another key.
    #[error(
        "the newest audit checkpoint was not signed with ECG_KEYS_AUDIT as {ours}, but as {}: set the key and the \
         ECG_AUDIT_ORIGIN with which this log was started, or, if the key was changed on purpose, set the old one as \
         ECG_KEYS_AUDIT_PREVIOUS",
        .signers.join(", ")
    )]
    AuditKey {
        /// The name and the hash of our key.
        ours: String,
        /// The names and hashes of the keys that signed.
        signers: Vec<String>,
    },
    /// A stored secret cannot be decrypted.
    #[error("the master key does not fit: one of the {what}, that of {row}, {reason}; {remedy}")]
    MasterKey {
        /// The kind of value that is stored there.
        what: &'static str,
        /// The id of the row that cannot be decrypted.
        row: String,
        /// Why it cannot be decrypted.
        reason: OpenError,
        /// Which settings to change.
        remedy: String,
    },
    /// A query failed during the check.
    #[error("could not query the database")]
    Away(#[from] store::StoreError),
}

impl StartupError {
    /// Whether only the operator can fix it, by changing settings.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Database { fault, .. } => fault.is_final(),
            Self::NotMigrated | Self::Away(_) => false,
            Self::TooStrong(_) | Self::AuditKey { .. } | Self::MasterKey { .. } => true,
        }
    }
}

/// Checks that the database can be reached and keeps sessions together.
pub async fn reach(store: &Store) -> Result<(), StartupError> {
    store.reach_sessions().await.map_err(|fault| unfit(store, fault))
}

/// Checks that the role can migrate the database.
pub async fn may_migrate(store: &Store) -> Result<(), StartupError> {
    store.may_migrate().await.map_err(|fault| unfit(store, fault))
}

fn unfit(store: &Store, fault: DatabaseFault) -> StartupError {
    StartupError::Database { target: store.target(), fault }
}

/// Checks that these keys match the audit log and the encrypted values. An empty database accepts any keys.
pub async fn check_keys(store: &Store, audit: Option<&AuditKeys>, sealer: Option<&Sealer>) -> Result<(), StartupError> {
    if !store.is_migrated().await? {
        return Err(StartupError::NotMigrated);
    }
    if let Some(audit) = audit {
        check_audit(store, audit).await?;
    }
    match sealer {
        Some(sealer) => check_master(store, sealer, true).await,
        None => Ok(()),
    }
}

/// The same for a key rotation, which itself reports values under keys that are not configured.
pub async fn check_rotation(store: &Store, audit: &AuditKeys, sealer: &Sealer) -> Result<(), StartupError> {
    check_keys(store, Some(audit), None).await?;
    check_master(store, sealer, false).await
}

async fn check_audit(store: &Store, keys: &AuditKeys) -> Result<(), StartupError> {
    let verifiers = keys.verifiers();
    let newest = checkpoints::newest(store, &verifiers).await?;
    if newest.is_foreign() {
        let ours = verifiers.first().map(note::NoteVerifier::short).unwrap_or_default();
        let nobody = || vec!["nobody's".to_owned()];
        let signers = if newest.signers.is_empty() { nobody() } else { newest.signers };
        return Err(StartupError::AuditKey { ours, signers });
    }
    // Somebody who may add a checkpoint must not be able to prevent gateways from starting.
    if let Some(told) = newest.skipped_message() {
        tracing::error!(signers = ?newest.signers, "{told}");
    }
    Ok(())
}

/// Each configured key must decrypt one of the stored values that name its id. If some values of a key can be decrypted
/// and one cannot, that one was altered or is left over: this is logged, but does not prevent the start. With
/// `complete`, at least one value must be decryptable.
async fn check_master(store: &Store, sealer: &Sealer, complete: bool) -> Result<(), StartupError> {
    let (mut opened, mut failed) = (BTreeSet::new(), BTreeMap::new());
    // Registry logins exist only for moments, in a table that grows; the other tables are enough.
    for place in SEALED.iter().filter(|place| place.context != "registry_logins:") {
        for (row, envelope) in store.sealed_samples(place, &sealer.header()).await? {
            let row = place.name_of(&row);
            let key = Sealer::key_of(&envelope).unwrap_or_default().to_owned();
            match sealer.open(&envelope, &format!("{}{row}", place.context)) {
                Ok(_) => drop(opened.insert(key)),
                Err(reason) => drop(failed.entry(key).or_insert((place.what, row, reason))),
            }
        }
    }
    for (key, (what, row, reason)) in failed {
        let passable = match reason {
            OpenError::UnknownKey => !complete || !opened.is_empty(),
            OpenError::Malformed | OpenError::Forged => opened.contains(&key),
        };
        if !passable {
            return Err(StartupError::MasterKey { what, row, reason, remedy: remedy(&key, reason) });
        }
        tracing::warn!(what, row, key, reason = %reason, "an encrypted value cannot be decrypted");
    }
    Ok(())
}

fn remedy(key: &str, reason: OpenError) -> String {
    if reason == OpenError::UnknownKey {
        return format!(
            "set the master key with the id {key:?} again, as ECG_KEYS_MASTER and ECG_KEYS_MASTER_ID, or in addition \
             to a new one as ECG_KEYS_MASTER_PREVIOUS and ECG_KEYS_MASTER_PREVIOUS_ID"
        );
    }
    format!("the master key with the id {key:?} is not the one that encrypted it: set the original key")
}

impl Upkeep {
    /// Checks whether this gateway may start.
    pub async fn may_begin(&self) -> Result<(), StartupError> {
        reach(self.base.store()).await?;
        // Nobody can alter an audit log before there is one.
        if !self.base.store().is_migrated().await? {
            return Err(StartupError::NotMigrated);
        }
        let powers = self.base.store().powers_over_audit().await?.unwrap_or_default();
        if !powers.is_empty() {
            return Err(StartupError::TooStrong(powers));
        }
        check_keys(self.base.store(), Some(&self.audit.keys), Some(self.base.sealer())).await?;
        self.name_weaknesses().await?;
        self.name_dead_words().await
    }

    /// Logs the keys that have scopes which do not exist, or no longer exist: these scopes grant nothing.
    async fn name_dead_words(&self) -> Result<(), StartupError> {
        let found =
            self.base.store().keys_of_other_scopes(&Scope::ALL.map(Scope::as_str), self.base.now(), MOST_NAMED).await?;
        if !found.is_empty() {
            let keys = found.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            tracing::warn!(
                keys,
                "some API keys have scopes that this version does not know and that grant nothing: {}; create new \
                 keys to replace them",
                Scope::IN_PLACE_OF_ADMIN
            );
        }
        Ok(())
    }

    /// Logs the database settings that are weaker than what the gateway relies on.
    async fn name_weaknesses(&self) -> Result<(), StartupError> {
        for WeakSetting { setting, value, needed, mended } in self.base.store().weaknesses().await? {
            if mended {
                tracing::warn!(
                    setting,
                    value,
                    needed,
                    "a setting of the database is weaker than needed; the gateway's own sessions set it"
                );
            } else {
                tracing::warn!(
                    setting,
                    value,
                    needed,
                    "a setting of the database is weaker than needed: acknowledged changes can be lost"
                );
            }
        }
        Ok(())
    }

    /// Checks that the keys are the right ones to write with, whichever role writes.
    pub async fn keys_fit(&self) -> Result<(), StartupError> {
        reach(self.base.store()).await?;
        check_keys(self.base.store(), Some(&self.audit.keys), Some(self.base.sealer())).await
    }

    /// Returns why the database cannot be used at the moment, if so.
    pub async fn reach_database(&self) -> Result<(), StartupError> {
        self.base.store().reach().await.map_err(|fault| unfit(self.base.store(), fault))
    }

    /// Holds back all requests and work until [`Self::begin`].
    pub fn hold_back(&self) {
        self.base.beginning().send_replace(false);
    }

    /// Starts serving requests and working.
    pub fn begin(&self) {
        self.base.beginning().send_replace(true);
    }
}
