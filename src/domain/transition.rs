//! How the status of one image cache changes.
//!
//! Every change of a row goes through [`core::step`], whatever its source: an operation's outcome, a lookup by the
//! tracker, a finding of the reconciler, or the simulation, which runs the same code. [`change`] reduces a row to the
//! facts that decide, and writes the result into it; [`reason`] has the reasons that its transitions give.
//!
//! Called by [`super::reconcile`] and `app`; [`super::poll`] decides which of its changes are worth a write. It does
//! not write to the database, and does not create rows: recording a create or adopting a cache
//! ([`super::reconcile::adoption`]) does that.

pub mod change;
pub mod core;
pub mod reason;
