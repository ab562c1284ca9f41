//! What applies if no policy says otherwise.

use crate::config::kinds::{checked_text, choice, word};
use crate::config::section::section;
use crate::domain::policy::team::UnknownTeams;
use crate::domain::policy::{PRICES, Prices};

section! {
    /// What applies if no policy says otherwise.
    PolicyConfig, "Policy";

    /// What applies to unregistered teams: the `default` policy, or `refuse`, with which they cannot create anything.
    unknown_teams: UnknownTeams = choice("policy.unknown_teams", "default or refuse", &UNKNOWN_TEAMS).or("default");

    /// Whom to contact to change a policy. Shown in refusals.
    contact: Option<String> = word("policy.contact");

    /// The prices of image caches (README.md#policy), which budgets require.
    price_list: Vec<String> = checked_text("policy.prices", PRICES, |entry| Prices::read("", [entry]).is_ok()).many();

    /// The currency of the prices.
    currency: String = checked_text("policy.currency", "1 to 8 letters and digits such as CNY", is_currency).or("CNY");
}

const UNKNOWN_TEAMS: [(&str, UnknownTeams); 2] = [("default", UnknownTeams::Default), ("refuse", UnknownTeams::Refuse)];

fn is_currency(text: &str) -> bool {
    (1..=8).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

impl PolicyConfig {
    /// The prices of image caches.
    pub fn prices(&self) -> Prices {
        let entries = self.price_list.iter().map(String::as_str);
        Prices::read(&self.currency, entries).expect("each entry was read")
    }
}
