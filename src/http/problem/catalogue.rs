//! The table of problems for readers: as JSON, and as the page of the documentation.

use std::fmt::Write as _;

use serde::Serialize;

use crate::domain::field::FieldCode;
use crate::domain::problem::{Code, Repeat};

/// Every problem, and every code of a field.
#[derive(Debug, Serialize)]
pub struct Catalogue {
    /// The problems, in the order of the table.
    pub problems: Vec<ProblemRow>,
    /// The codes of `errors`.
    pub field_codes: Vec<FieldCodeRow>,
}

/// A problem with everything that is known of it.
#[derive(Debug, Serialize)]
pub struct ProblemRow {
    /// The `code` of the problem.
    pub code: &'static str,
    /// The kind of problem in a few words.
    pub title: &'static str,
    /// The HTTP statuses with which it is sent, the usual one first.
    pub statuses: &'static [u16],
    /// What it means.
    pub meaning: &'static str,
    /// How to resolve it.
    pub resolution: &'static str,
    /// Whether a repeat can help: `no`, `yes` or `depends`.
    pub repeat: &'static str,
}

/// One code of a field.
#[derive(Debug, Serialize)]
pub struct FieldCodeRow {
    /// The `code` of the invalid field.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
}

impl From<Code> for ProblemRow {
    fn from(code: Code) -> Self {
        Self {
            code: code.as_str(),
            title: code.title(),
            statuses: code.statuses(),
            meaning: code.meaning(),
            resolution: code.resolution(),
            repeat: match code.repeat() {
                Repeat::No => "no",
                Repeat::Yes => "yes",
                Repeat::Depends => "depends",
            },
        }
    }
}

impl Catalogue {
    /// Everything in the tables.
    pub fn whole() -> Self {
        let field_codes = FieldCode::ALL.map(|code| FieldCodeRow { code: code.as_str(), meaning: code.meaning() });
        Self { problems: Code::ALL.map(Into::into).into(), field_codes: field_codes.into() }
    }

    /// The page of the documentation.
    pub fn markdown(&self) -> String {
        let mut text = format!("# Problems\n\n{HEAD}\n\n## Codes\n\n{COLUMNS}\n|---|---|---|---|---|\n");
        for row in &self.problems {
            let ProblemRow { code, meaning, resolution, repeat, .. } = row;
            let statuses: Vec<String> = row.statuses.iter().map(u16::to_string).collect();
            let _written =
                writeln!(text, "| `{code}` | {} | {meaning} | {resolution} | {repeat} |", statuses.join(", "));
        }
        let _written = write!(text, "\n## Codes of fields\n\n{FIELDS}\n\n| code | meaning |\n|---|---|\n");
        for FieldCodeRow { code, meaning } in &self.field_codes {
            let _written = writeln!(text, "| `{code}` | {meaning} |");
        }
        text
    }
}

const COLUMNS: &str = "| code | status | meaning | how to resolve it | can a repeat help? |";
const HEAD: &str = "Every refusal and failure of the API is a problem (RFC 9457). Its `code` says what happened, and \
its `type` is the page of the gateway that explains the code: `/docs/problems/{code}`, absolute if the gateway \
knows its public address (`ECG_PUBLIC_URL`). Programs decide by `code`; codes may be added. Each operation lists its own in \
`x-problem-codes` of the OpenAPI document.

`retryable` is true if a repeat can help *and* is safe: the method is idempotent (GET, PUT, DELETE), the operation \
only reads, or the request has an `Idempotency-Key` that the operation takes. So a POST without a key is never \
`retryable`: send a key, and repeat with the same one.

This page is what `eci-cache-gateway problems` prints; a test compares the two. The gateway serves it at \
`/docs/problems`, as JSON with `Accept: application/json`.";
const FIELDS: &str = "`errors` of `invalid_request`, `malformed_header` and `policy_refused` names every field that is \
wrong, at most 20 at once if the body has fields that are unknown, missing or of another type. Each has a `code`:";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_of_the_documentation_is_what_is_printed() {
        let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/problems.md")).unwrap();
        let printed = Catalogue::whole().markdown();
        let first = page.lines().zip(printed.lines()).find(|(page, printed)| page != printed);
        assert_eq!(first, None, "run `cargo run -- problems > docs/problems.md`");
        assert_eq!(page.len(), printed.len());
    }
}
