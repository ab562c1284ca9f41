//! What a policy refuses, and a team that is disabled. 403: the request is well formed, and somebody could allow it.

use super::{ProblemField, ProblemResponse};
use crate::domain::field::FieldCode;
use crate::domain::policy;
use crate::domain::problem::Code;

/// Everything that the policy refuses; `contact` can change it.
pub(super) fn refused(refusals: Vec<policy::Refusal>, contact: Option<String>) -> ProblemResponse {
    let detail = sentence(&refusals);
    let hint = match &contact {
        Some(contact) => format!("request what the policy allows (GET /v1/policy), or ask {contact} to change it"),
        None => "request what the policy allows (GET /v1/policy), or ask the gateway's administrators to change \
                 it"
        .to_owned(),
    };
    let mut refusal = ProblemResponse::new(Code::PolicyRefused, detail).hint(hint);
    refusal.0.problem.errors = refusals.into_iter().map(field).collect();
    refusal.0.problem.contact = contact;
    refusal
}

/// A team whose requests are refused.
pub(super) fn disabled(contact: Option<String>) -> ProblemResponse {
    let mut refusal = ProblemResponse::new(Code::TeamDisabled, "the team is disabled");
    let who = contact.as_deref().unwrap_or("the gateway's administrators");
    refusal = refusal.hint(format!("{who} can enable it"));
    refusal.0.problem.contact = contact;
    refusal
}

fn field(refusal: policy::Refusal) -> ProblemField {
    ProblemField {
        pointer: Some(refusal.field),
        parameter: None,
        code: FieldCode::Policy.as_str().to_owned(),
        detail: refusal.detail,
        rule: Some(refusal.rule.to_owned()),
        allowed: refusal.allowed,
    }
}

/// All of them in one sentence, each with its rule.
fn sentence(refusals: &[policy::Refusal]) -> String {
    let told: Vec<String> = refusals
        .iter()
        .map(|refusal| {
            let field = if refusal.field.is_empty() { String::new() } else { format!("{} ", refusal.field) };
            format!("{field}{} ({})", refusal.message(), refusal.rule)
        })
        .collect();
    told.join("; ")
}
