//! Tests of the decision code in `tests/chaos`, which is a separate program.
#![cfg(test)]

#[path = "../chaos"]
mod parts {
    #[expect(dead_code, reason = "what only the report shows is not tried here")]
    pub(super) mod check;
    pub(super) mod outages;
    pub(super) mod plan;
    #[expect(dead_code, reason = "what needs a Postgres is not tried here")]
    pub(crate) mod proxy;
}

mod planned;
mod proxied;
mod trials;

pub(crate) use parts::proxy;
use parts::{check, outages, plan};
