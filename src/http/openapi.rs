//! The two documents of the API: 3.1 is the source of truth, 3.0 is made from it for generators that need it.
//!
//! What must stay true: printing them needs no database; every `$ref` resolves; nothing is nullable; every
//! operation's scope and audit level come from `app::access`, the table that the checks read.
//! Handlers tell their own part; what all have in common is added here, in one place.

use serde_json::Value;

mod common;
mod down_convert;
mod examples;
mod problem_codes;
mod schemas;
mod webhooks;
mod words;

use super::rest;

/// The document in version 3.1, with `webhooks`: pretty, with a newline at the end.
pub fn document_3_1() -> String {
    pretty(&value_3_1())
}

/// The document in version 3.0.3, without `webhooks`: pretty, with a newline at the end.
pub fn document_3_0() -> String {
    pretty(&down_convert::to_3_0(operations()))
}

fn value_3_1() -> Value {
    let mut document = operations();
    webhooks::add(&mut document);
    document
}

/// The document without `webhooks`, and without the schemas that only they have.
fn operations() -> Value {
    let (_, document) = rest::routes().split_for_parts();
    // Everything in it is a string, number, list or map: it always serializes.
    let mut document = serde_json::to_value(document).expect("an OpenAPI document is JSON");
    schemas::tidy(&mut document);
    common::complete(&mut document);
    words::apply(&mut document);
    examples::add(&mut document);
    document
}

fn pretty(document: &Value) -> String {
    format!("{document:#}\n")
}
