//! The goals for calls and delay in virtual time: the decisions are the gateway's, the clock is not.

use chrono::Duration;

use crate::support::virtual_cloud::{Figures, Scene, run};

fn figures(in_motion: usize, settled: usize) -> Figures {
    let usual = Duration::milliseconds(9_800);
    run(&Scene { in_motion, settled, seconds: 900, known: true, usual }, 1)
}

fn assert_within(figures: &Figures, calls: f64, p99: f64) {
    let made = figures.per_finished(figures.all());
    let said =
        format!("{made:.2} calls, p50 {:.1}, p99 {:.1}: {:?}", figures.delay(50), figures.delay(99), figures.calls);
    assert!(figures.finished > 100, "{}", figures.finished);
    assert!(made <= calls, "{said}");
    assert!(figures.delay(50) <= 5.2 && figures.delay(99) <= p99, "{said}");
}

#[test]
fn where_most_caches_move_about_one_call_is_made_for_each() {
    let dense = figures(400, 0);
    assert_within(&dense, 1.2, 12.0);
    assert!(dense.per_finished(dense.naive) > 20.0, "what scripts do");
}

#[test]
fn where_one_in_ten_moves_buckets_keep_the_calls_few() {
    let sparse = figures(300, 2_700);
    assert_within(&sparse, 4.0, 12.0);
    assert!(sparse.calls["by_bucket"] > sparse.calls["by_id"], "{:?}", sparse.calls);
    assert_within(&figures(50, 450), 4.0, 12.0);
}

#[test]
fn without_a_history_it_is_learned_on_the_way() {
    let usual = Duration::milliseconds(9_800);
    let cold = run(&Scene { in_motion: 100, settled: 900, seconds: 900, known: false, usual }, 1);
    assert_within(&cold, 5.0, 12.0);
}
