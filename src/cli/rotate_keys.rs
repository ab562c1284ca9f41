//! `rotate-keys`: re-encrypts everything with the current master key while gateways are running.
//!
//! Exit code 0: nothing is encrypted with another key any more. 1: something still is, which is printed; or the
//! database could not be used. It may be interrupted and run again. It needs only the runtime role.

use super::{CommandFailure, console, runtime, startup, wrong};
use crate::app::upkeep::key_rotation::{self, Rotated, RotationContext};
use crate::assembly;
use crate::config::Loaded;
use crate::domain::clock::SystemClock;
use crate::domain::entropy::Entropy;

/// The options of `rotate-keys`.
#[derive(Debug, clap::Args)]
pub(super) struct RotateKeysArgs {
    /// Stop storing webhook URLs in plain text. Use this once no gateway of a version without encrypted URLs runs on
    /// this database or will be restored: such a version sends nothing to endpoints whose URL it cannot read.
    #[arg(long)]
    seal_urls: bool,
}

pub(super) fn run(loaded: Loaded, arguments: &RotateKeysArgs) -> Result<(), CommandFailure> {
    let config = loaded.for_rotation().map_err(wrong)?;
    let sealer = assembly::sealer(&config.keys)?;
    let audit = assembly::audit_keys(&config.audit)?;
    let stamp = assembly::stamp(&audit);
    let entropy = Entropy::from_os();
    let (rotated, urls) = runtime()?.block_on(async {
        let store = assembly::store(&config.database_url, &config.database, stamp);
        startup::patiently(|| startup::may_rotate(&store, &audit, &sealer)).await?;
        let urls = arguments.seal_urls;
        let bench = RotationContext { store: &store, sealer: &sealer, clock: &SystemClock, entropy: &entropy };
        let rotated =
            key_rotation::rotate(bench, |what, renewed| console::remark(&format!("{what}: {renewed} re-encrypted")))
                .await?;
        let urls = if urls { Some(key_rotation::end_plain_urls(bench).await?) } else { None };
        store.close().await;
        Ok::<_, anyhow::Error>((rotated, urls))
    })?;
    if let Some(urls) = urls {
        console::remark(&format!("webhook URLs: none is in plain text from now on; {urls} were"));
    }
    let printed = console::answer(&report(&rotated, sealer.current_id()));
    if rotated.iter().all(Rotated::is_clean) { printed } else { Err(CommandFailure::Code(1)) }
}

fn report(rotated: &[Rotated], current: &str) -> String {
    let mut lines = Vec::new();
    for place in rotated {
        lines.push(format!("{}: {}, of which {} re-encrypted", place.what, place.sealed, place.renewed));
        let left = place.left.iter().map(|(key, count)| format!("  {count} are still under the key {key:?}"));
        lines.extend(left);
        lines.extend(place.stuck.iter().map(|(row, error)| format!("  {row} {error}")));
    }
    lines.push(if rotated.iter().all(Rotated::is_clean) {
        // A keyed hash does not name its key, and cannot be recomputed without the secret.
        format!(
            "Everything is encrypted with the key {current:?}. API keys are rehashed when they are used: a key that \
             has not been used since the rotation is recognized only while the other key is configured."
        )
    } else {
        format!("Not everything is encrypted with the key {current:?}: keep the other keys, and run this again.")
    });
    lines.join("\n") + "\n"
}
