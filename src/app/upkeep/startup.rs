//! Whether a gateway may begin: its database, its role and its keys are looked at before anything is served or written.
//!
//! A wrong key does harm that the right one cannot mend: a checkpoint signed with another audit key stays in the log
//! for ever, and what another master key sealed does not open. So one checkpoint and some envelopes are opened first.
//!
//! Who calls it: the command line. What it does not do: wait, or ask again.

use std::collections::{BTreeMap, BTreeSet};

use crate::app::audit::checkpoints;
use crate::app::upkeep::Upkeep;
use crate::crypto::audit_keys::AuditKeys;
use crate::crypto::note;
use crate::crypto::seal::{OpenError, Sealer};
use crate::domain::database::fault::{DatabaseFault, DatabaseTarget};
use crate::domain::identity::caller::Scope;
use crate::store::{self, SEALED, Store, WeakSetting};

/// The most keys that one line names.
const MOST_NAMED: i64 = 50;

/// Why a gateway may not begin.
#[derive(Debug, thiserror::Error)]
pub enum StartupError {
    /// The database cannot be used.
    #[error("{target}: {}", .fault.message(.target))]
    Database {
        /// Where it is, and the role that logs in.
        target: DatabaseTarget,
        /// Why it cannot be used; says what to do, too.
        fault: DatabaseFault,
    },
    /// Migrations of this binary are not applied yet.
    #[error("the database schema does not match this version: run `migrate`")]
    NotMigrated,
    /// The role could alter the audit; in these ways.
    #[error(
        "this database role could alter the audit: {}. Use a role that owns nothing and can only read and add audit \
         entries, as created by deploy/postgres/roles.sql; only `migrate` runs as the owner",
        .0.join("; ")
    )]
    TooStrong(Vec<String>),
    /// The newest checkpoint was signed with another key; under these names.
    #[error(
        "the newest audit checkpoint was not signed with ECG_KEYS_AUDIT as {ours}, but as {}: set the key and the \
         ECG_AUDIT_ORIGIN with which this log was started, or, if the key was changed on purpose, set the old one as \
         ECG_KEYS_AUDIT_PREVIOUS",
        .signers.join(", ")
    )]
    AuditKey {
        /// The name and the hash of our key.
        ours: String,
        /// Those of the keys that signed.
        signers: Vec<String>,
    },
    /// Something encrypted does not open.
    #[error("the master key does not fit: one of the {what}, that of {row}, {reason}; {remedy}")]
    MasterKey {
        /// What is kept there.
        what: &'static str,
        /// The id of the row that does not open.
        row: String,
        /// Why it does not open.
        reason: OpenError,
        /// What to set.
        remedy: String,
    },
    /// The database failed while it was asked.
    #[error("could not query the database")]
    Away(#[from] store::StoreError),
}

impl StartupError {
    /// Whether only the operator can mend it, by other settings.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Database { fault, .. } => fault.is_final(),
            Self::NotMigrated | Self::Away(_) => false,
            Self::TooStrong(_) | Self::AuditKey { .. } | Self::MasterKey { .. } => true,
        }
    }
}

/// Whether the database can be reached, and keeps sessions together.
pub async fn reach(store: &Store) -> Result<(), StartupError> {
    store.reach_sessions().await.map_err(|fault| unfit(store, fault))
}

/// Whether the database can be migrated by its role.
pub async fn may_migrate(store: &Store) -> Result<(), StartupError> {
    store.may_migrate().await.map_err(|fault| unfit(store, fault))
}

fn unfit(store: &Store, fault: DatabaseFault) -> StartupError {
    StartupError::Database { target: store.target(), fault }
}

/// Whether these keys are those of the log and of what is encrypted. An empty database takes any.
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

/// The same for a rotation, which itself reports what is under a key that is not configured.
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
    // Whoever may add a checkpoint must not keep gateways from beginning.
    if let Some(told) = newest.skipped_message() {
        tracing::error!(signers = ?newest.signers, "{told}");
    }
    Ok(())
}

/// Each key that is configured must open one of the envelopes that are met under its id. One that does not open beside
/// others that do was altered, or is a leftover: that is said, and stops nobody. `complete`: some envelope must open at
/// all.
async fn check_master(store: &Store, sealer: &Sealer, complete: bool) -> Result<(), StartupError> {
    let (mut opened, mut failed) = (BTreeSet::new(), BTreeMap::new());
    // Logins are there for moments only, in a table that grows; the others say enough.
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
    /// Whether this gateway may begin.
    pub async fn may_begin(&self) -> Result<(), StartupError> {
        reach(self.base.store()).await?;
        // Nothing can be altered before there is something.
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

    /// Logs the keys with scopes that are none, or none any more: by these words they open nothing.
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

    /// Logs the settings of the database that are weaker than what the gateway is built on.
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

    /// Whether what is written with these keys is good, whichever role writes it.
    pub async fn keys_fit(&self) -> Result<(), StartupError> {
        reach(self.base.store()).await?;
        check_keys(self.base.store(), Some(&self.audit.keys), Some(self.base.sealer())).await
    }

    /// Why the database cannot be used at the moment, if it cannot.
    pub async fn reach_database(&self) -> Result<(), StartupError> {
        self.base.store().reach().await.map_err(|fault| unfit(self.base.store(), fault))
    }

    /// Serves nobody and does no work until [`Self::begin`].
    pub fn hold_back(&self) {
        self.base.beginning().send_replace(false);
    }

    /// From now on it serves and works.
    pub fn begin(&self) {
        self.base.beginning().send_replace(true);
    }
}
