//! How one image cache moves.
//!
//! Every change of a row goes through [`core::step`], whoever brings it: an operation's outcome, a look of the tracker,
//! a finding of the reconciler, and the simulation, which runs it as it is. [`change`] reduces a row to what is decided
//! by, and writes what follows into it; [`reason`] has the words that its transitions give.
//!
//! Who calls it: [`super::reconcile`], [`super::poll`] and `app`. What it does not do: write to the database, or make a
//! row: that does who records a create, or takes a cache over ([`super::reconcile::adoption`]).

pub mod change;
pub mod core;
pub mod reason;
