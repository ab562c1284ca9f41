//! Key rotation: re-encrypts everything encrypted with the current key, while gateways keep running.
//!
//! What must stay true: a value is only decrypted in its own context; a row that changed in the meantime is left to
//! whoever changed it; the final result counts what is stored at the end, not what was done. A rotation may be stopped
//! and started again at any moment.
//!
//! `rotate-keys` calls it. It does not choose keys, and does not touch the keys of the audit log.

use secrecy::ExposeSecret as _;

use crate::app::Error;
use crate::app::webhooks::endpoints::seal_all;
use crate::crypto::seal::{OpenError, Sealer};
use crate::domain::audit::{Actor, AuditEntry, Outcome};
use crate::domain::clock::Clock;
use crate::domain::entropy::Entropy;
use crate::domain::identity::caller::{Door, Origin};
use crate::domain::ids::{self, AuditId};
use crate::store::{SEALED, Sealed, Store};

/// The number of values in one batch.
const BATCH: i64 = 500;
/// How often to go through everything: gateways that still encrypt with the old key may add values behind us.
const ROUNDS: usize = 3;

/// What a rotation works with.
#[derive(Debug, Clone, Copy)]
pub struct RotationContext<'a> {
    /// The database, with the runtime role's rights.
    pub store: &'a Store,
    /// The master keys, current and previous.
    pub sealer: &'a Sealer,
    /// The source of the time.
    pub clock: &'a dyn Clock,
    /// The source of random numbers.
    pub entropy: &'a Entropy,
}

/// The result for one column of encrypted values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The kind of value that is stored there.
    pub what: &'static str,
    /// How many encrypted values there are. All are under the current key, except for those in `left`.
    pub sealed: i64,
    /// How many were re-encrypted in this run.
    pub renewed: u64,
    /// How many are under another key, by that key's id.
    pub left: Vec<(String, i64)>,
    /// The first rows that could not be decrypted, and why.
    pub stuck: Vec<(String, OpenError)>,
}

impl Rotated {
    /// Whether no value is under another key.
    pub fn is_clean(&self) -> bool {
        self.left.is_empty()
    }
}

/// The most rows that `stuck` lists.
const NAMED: usize = 20;

/// Re-encrypts everything, column by column. Calls `told` after each batch with the kind of value and how many were
/// re-encrypted so far.
///
/// # Errors
/// If the database cannot be used. What was already done stays done.
pub async fn rotate(
    bench: RotationContext<'_>,
    mut told: impl FnMut(&'static str, u64),
) -> Result<Vec<Rotated>, Error> {
    let mut all = Vec::new();
    // Recorded before the first change and after the last: if the rotation is interrupted, it is still known that it
    // was started.
    bench.store.append_audit(entry(bench, Outcome::Accepted, &all)).await?;
    for place in &SEALED {
        all.push(rotate_place(bench, place, &mut told).await?);
    }
    let clean = all.iter().all(Rotated::is_clean);
    let outcome = if clean { Outcome::Succeeded } else { Outcome::Failed };
    bench.store.append_audit(entry(bench, outcome, &all)).await?;
    Ok(all)
}

/// Ends the period in which an older version may still read webhook URLs in plain text, and wipes the plain-text URLs.
/// Returns how many.
///
/// # Errors
/// If the database cannot be used. What was already done stays done.
pub async fn end_plain_urls(bench: RotationContext<'_>) -> Result<u64, Error> {
    bench.store.append_audit(acted(bench, "end_plain_webhook_urls", Outcome::Accepted)).await?;
    bench.store.end_plain_urls().await?;
    let wiped = seal_all(bench.store, bench.sealer, bench.entropy).await?;
    let mut entry = acted(bench, "end_plain_webhook_urls", Outcome::Succeeded);
    entry.parameters.insert("renewed".to_owned(), wiped.to_string());
    bench.store.append_audit(entry).await?;
    Ok(wiped)
}

async fn rotate_place(
    bench: RotationContext<'_>,
    place: &Sealed,
    told: &mut impl FnMut(&'static str, u64),
) -> Result<Rotated, Error> {
    let mut rotated = Rotated { what: place.what, sealed: 0, renewed: 0, left: Vec::new(), stuck: Vec::new() };
    for _ in 0..ROUNDS {
        rotated.stuck.clear();
        round(bench, place, &mut rotated, told).await?;
        let found = bench.store.sealed_by(place).await?;
        rotated.sealed = found.iter().map(|by| by.count).sum();
        let others = found.into_iter().filter(|by| by.key != bench.sealer.current_id());
        rotated.left = others.map(|by| (by.key, by.count)).collect();
        if rotated.is_clean() {
            break;
        }
    }
    Ok(rotated)
}

/// Goes through all rows once.
async fn round(
    bench: RotationContext<'_>,
    place: &Sealed,
    rotated: &mut Rotated,
    told: &mut impl FnMut(&'static str, u64),
) -> Result<(), Error> {
    let (header, mut after) = (bench.sealer.header(), String::new());
    loop {
        let batch = bench.store.sealed_otherwise(place, &header, &after, BATCH).await?;
        let Some((last, _)) = batch.last() else { return Ok(()) };
        after.clone_from(last);
        for (row, envelope) in batch {
            match renew(bench, place, &row, &envelope).await? {
                Ok(done) => rotated.renewed += u64::from(done),
                Err(error) if rotated.stuck.len() < NAMED => rotated.stuck.push((place.name_of(&row), error)),
                Err(_) => {}
            }
        }
        told(place.what, rotated.renewed);
    }
}

async fn renew(
    bench: RotationContext<'_>,
    place: &Sealed,
    row: &str,
    was: &[u8],
) -> Result<Result<bool, OpenError>, Error> {
    let context = format!("{}{}", place.context, place.name_of(row));
    let plain = match bench.sealer.open(was, &context) {
        Ok(plain) => plain,
        Err(error) => return Ok(Err(error)),
    };
    let is = bench.sealer.seal(plain.expose_secret(), &context, bench.entropy);
    Ok(Ok(bench.store.reseal(place, row, was, &is).await?))
}

fn acted(bench: RotationContext<'_>, action: &str, outcome: Outcome) -> AuditEntry {
    let now = bench.clock.now();
    let request_id = format!("req_{}", ids::uuid_v7(now, bench.entropy).simple());
    let origin = Origin { door: Door::Worker, request_id, address: None };
    let actor = Actor { team: None, subject: "operator:rotate-keys".to_owned(), credential: None, origin };
    actor.entry(AuditId::new(now, bench.entropy), now, action, outcome)
}

/// The audit entry for the start or the end of a rotation.
fn entry(bench: RotationContext<'_>, outcome: Outcome, all: &[Rotated]) -> AuditEntry {
    let mut entry = acted(bench, "rotate_keys", outcome);
    let mut keep = |name: &str, value: String| entry.parameters.insert(name.to_owned(), value);
    keep("key", bench.sealer.current_id().to_owned());
    keep("renewed", all.iter().map(|place| place.renewed).sum::<u64>().to_string());
    let left = all.iter().flat_map(|place| &place.left).map(|(_, count)| count).sum::<i64>();
    keep("left", left.to_string());
    entry
}
