//! The cost of the audit: writing entries with group commits, sealing them into the tree, and verifying everything.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use eci_cache_gateway::app::audit::verification::{VerificationSubject, verify};
use eci_cache_gateway::domain::audit::{Actor, Outcome};
use eci_cache_gateway::domain::clock::{Clock as _, SystemClock};
use eci_cache_gateway::domain::entropy::Entropy;
use eci_cache_gateway::domain::identity::caller::{Door, Origin};
use eci_cache_gateway::domain::ids::AuditId;
use futures_util::future::join_all;

use crate::parts;
use crate::report::Fact;
use crate::testbed::Testbed;

/// The number of concurrent requests.
const AT_ONCE: u32 = 1_000;

/// Writes this many entries, seals and verifies them.
pub(crate) async fn measure(testbed: &Testbed, entries: u32) -> anyhow::Result<Vec<Fact>> {
    eprintln!("sealing");
    let (store, entropy) = (testbed.store(), Entropy::from_seed(3));
    let entry = || {
        let (origin, now) = (Origin { door: Door::Rest, request_id: "req_1".into(), address: None }, SystemClock.now());
        let mut entry = Actor::anonymous(&origin).entry(AuditId::new(now, &entropy), now, "get_me", Outcome::Refused);
        entry.parameters.insert("name".into(), "web".into());
        entry
    };
    let began = Instant::now();
    for _ in 0..entries / AT_ONCE {
        for written in join_all((0..AT_ONCE).map(|_| store.append_audit(entry()))).await {
            written?;
        }
    }
    let written = began.elapsed();
    let began = Instant::now();
    testbed.seal().await?;
    let sealed = began.elapsed();
    let began = Instant::now();
    let subject = VerificationSubject { keys: parts::audit_keys().verifiers(), saved: None, waited: HashSet::new() };
    let (report, waiting) = verify(&store, &subject).await?;
    let verified = began.elapsed();
    store.close().await;
    anyhow::ensure!(waiting.is_empty() && report.is_clean() && report.entries == i64::from(entries), "{report:?}");
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(entries);
    let fact = |what: &str, time| Fact { name: format!("an audit entry, {what}"), value: each(time), unit: "us" };
    Ok(vec![fact("written with others", written), fact("sealed", sealed), fact("verified", verified)])
}
