//! The report at the end: what was done, how much evidence there is, what was found.

use std::time::Duration;

use eci_cache_gateway::domain::transition::reason::SHOWN_AGAIN;

use crate::check::evidence::ClientFact;
use crate::check::{self, Evidence, RULES};
use crate::inject::Injector;
use crate::plan::{LEAP, STEP};
use crate::proxy::FaultProxy;
use crate::testbed::Testbed;

/// The content of the report.
pub(crate) struct Report<'a> {
    pub(crate) seed: u64,
    pub(crate) testbed: &'a Testbed,
    pub(crate) injector: &'a Injector,
    pub(crate) evidence: &'a Evidence,
    /// The time from healing to rest.
    pub(crate) rested: Duration,
    /// The time from SIGTERM to the end of the last gateway.
    pub(crate) drained: Duration,
    /// What did not come to rest.
    pub(crate) unrest: Vec<String>,
}

/// How many details of a rule are printed.
const SHOWN: usize = 5;
/// The longest shutdown after SIGTERM.
const DRAIN: Duration = Duration::from_secs(20);

impl Report<'_> {
    /// Prints it. Returns whether everything is fine.
    pub(crate) fn print(&self) -> bool {
        println!("\n{:<52} {:>9}", "what was done", "count");
        for (name, count) in self.injector.counts().iter() {
            row(name, *count);
        }
        let gateways = &self.testbed.gateways;
        row("commits whose answer was lost", gateways.iter().map(|gateway| gateway.database.lost()).sum());
        let proxies = gateways.iter().flat_map(|gateway| [&gateway.door, &gateway.cloud, &gateway.database]);
        row("connections that were cut", proxies.chain([&self.testbed.hooks]).map(FaultProxy::hits).sum());
        if !self.testbed.faketime {
            for name in [LEAP, STEP] {
                println!("{name:<52} {:>9}  no libfaketime here (apt-get install faketime)", "NOT RUN");
            }
        }
        self.print_evidence();
        self.print_times();
        self.print_verdict()
    }

    fn print_evidence(&self) {
        let evidence = self.evidence;
        println!("\n{:<52} {:>9}", "evidence", "count");
        let answered = |fact: &&ClientFact| matches!(fact, ClientFact::Answered { .. });
        let gave_up = |fact: &&ClientFact| matches!(fact, ClientFact::GaveUp { .. });
        row("answers that clients heard", evidence.clients.iter().filter(answered).count());
        row("wishes that clients gave up", evidence.clients.iter().filter(gave_up).count());
        let told = |fact: &&ClientFact| matches!(fact, ClientFact::Told { .. });
        row(
            "creates asked for once, and perhaps not waited for",
            evidence.caches.iter().filter(|row| row.is_asked()).count(),
        );
        row("told by the cloud's id, asked for or adopted", evidence.clients.iter().filter(told).count());
        for word in ["joined", "reused", "created"] {
            let yours = |fact: &&ClientFact| matches!(fact, ClientFact::Yours { outcome, .. } if outcome == word);
            row(&format!("told by our id, {word}"), evidence.clients.iter().filter(yours).count());
        }
        row("put into the cloud behind the gateway's back", evidence.put().len());
        row("at the cloud in the end", evidence.held.len());
        row("of them open findings", evidence.findings.intersection(&evidence.held).count());
        let heard = evidence.clients.iter().map(|fact| match fact {
            ClientFact::Heard { events, .. } => events.len(),
            _ => 0,
        });
        row("events read in the feed", heard.sum());
        let anew = |fact: &&ClientFact| matches!(fact, ClientFact::Anew { .. });
        row("readers that were told to begin anew", evidence.clients.iter().filter(anew).count());
        row("creates that were lost and asked for again", evidence.lost.len());
        let again = evidence.transitions.iter().filter(|row| row.reason == SHOWN_AGAIN);
        row("shown again after an end", again.count());
        row("acts of the stand-in", evidence.acts.len());
        row("webhooks received", evidence.hooks.len());
        row("image caches", evidence.caches.len());
        row("operations", evidence.operations.len());
        row("events", evidence.events.len());
        row("transitions", evidence.transitions.len());
        row("requests in the audit trail", evidence.audited.len());
        row("entries of operations in the audit trail", evidence.audit.len());
    }

    fn print_times(&self) {
        println!("\n{:<52} {:>9}", "times", "seconds");
        let mut took: Vec<f64> =
            self.evidence.recoveries.iter().filter_map(|it| it.took).map(|it| it.as_secs_f64()).collect();
        took.sort_by(f64::total_cmp);
        seconds("recovery after a fault, p50", quantile(&took, 50));
        seconds("recovery after a fault, p99", quantile(&took, 99));
        seconds("recovery after a fault, longest", quantile(&took, 100));
        if let Some(worst) = self.evidence.recoveries.iter().max_by_key(|recovery| recovery.took) {
            println!("    after {}", worst.fault);
        }
        let mut ended: Vec<f64> = self.evidence.operations.iter().filter_map(|operation| operation.seconds).collect();
        ended.sort_by(f64::total_cmp);
        seconds("operation from request to end, p50", quantile(&ended, 50));
        seconds("operation from request to end, p99", quantile(&ended, 99));
        seconds("operation from request to end, longest", quantile(&ended, 100));
        let mut slow: Vec<_> = self.evidence.operations.iter().collect();
        slow.sort_by(|one, other| other.seconds.partial_cmp(&one.seconds).unwrap_or(std::cmp::Ordering::Equal));
        for operation in slow.iter().take(SHOWN) {
            println!("    {} of {} {:.1} s", operation.kind, operation.id, operation.seconds.unwrap_or_default());
        }
        seconds("from healing to rest", self.rested.as_secs_f64());
        seconds("from SIGTERM to the end", self.drained.as_secs_f64());
    }

    fn print_verdict(&self) -> bool {
        let violations = check::judge(self.evidence);
        println!("\n{:<52} {:>9}", "rule", "violated");
        for (rule, _) in RULES {
            let found: Vec<_> = violations.iter().filter(|violation| violation.rule == rule).collect();
            row(rule, found.len());
            for violation in found.iter().take(SHOWN) {
                println!("    {}", violation.detail);
            }
        }
        for moving in &self.unrest {
            println!("not at rest: {moving}");
        }
        let late = self.drained > DRAIN;
        if late {
            println!("the gateways took longer than {DRAIN:?} to stop");
        }
        let well = violations.is_empty() && self.unrest.is_empty() && !late;
        println!(
            "\nchaos: seed {}: {}",
            self.seed,
            if well { "nothing was lost, doubled or stuck" } else { "VIOLATED" }
        );
        well
    }
}

fn row(name: &str, count: usize) {
    println!("{name:<52} {count:>9}");
}

fn seconds(name: &str, seconds: f64) {
    println!("{name:<52} {seconds:>9.2}");
}

/// A percentile of sorted numbers; 0 if there are none.
pub(crate) fn quantile(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
    sorted.get(place).copied().unwrap_or_default()
}
