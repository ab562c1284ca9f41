//! The pages that explain the codes of problems: what `type` of a problem leads to. HTML for people, JSON for programs
//! that ask for it. Open to all, and without an audit entry.

use axum::Router;
use axum::http::header::{ACCEPT, CACHE_CONTROL, HeaderValue, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::get;
use serde::Serialize;

use super::html::Page;
use crate::domain::problem::Code;
use crate::http::extract::Id;
use crate::http::problem::catalogue::{Catalogue, ProblemRow};
use crate::http::problem::{PAGES, ProblemResponse};
use crate::http::{DoorState, answer};

pub(super) fn routes() -> Router<DoorState> {
    Router::new().route(PAGES, get(index)).route(&format!("{PAGES}/{{code}}"), get(page))
}

async fn index(headers: HeaderMap) -> Response {
    let catalogue = Catalogue::whole();
    if wants_json(&headers) { json(&catalogue) } else { list(&catalogue) }
}

async fn page(Id(name): Id<String>, headers: HeaderMap) -> Result<Response, ProblemResponse> {
    let code = Code::from_name(&name).ok_or_else(ProblemResponse::no_such_code)?;
    let row = ProblemRow::from(code);
    Ok(if wants_json(&headers) { json(&row) } else { explained(&row, code) })
}

fn json(body: &impl Serialize) -> Response {
    let mut answer = answer::json(StatusCode::OK, body);
    answer.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    answer
}

/// Whether JSON is named and preferred to HTML (RFC 9110, 12.5.1); `*/*` is whoever did not think of it.
fn wants_json(headers: &HeaderMap) -> bool {
    let quality = |wanted: &[&str]| {
        let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let ranges = values.flat_map(|text| text.split(','));
        let named = ranges.filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().filter(|kind| wanted.iter().any(|one| kind.eq_ignore_ascii_case(one)))?;
            let stated = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
            Some((kind, stated.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0))))
        });
        named.map(|(_, quality)| quality).fold(0.0, f32::max)
    };
    quality(&["application/json"]) > quality(&["text/html", "application/xhtml+xml"])
}

fn list(catalogue: &Catalogue) -> Response {
    let mut page = Page::new("Problems");
    page.element("p", "Every refusal and failure of the API is a problem (RFC 9457); its `code` is one of these.");
    page.within("table", |table| {
        table.within("tr", |row| ["Code", "Status", "Meaning"].iter().for_each(|name| row.element("th", name)));
        for problem in &catalogue.problems {
            table.within("tr", |row| {
                // Relative to this page, wherever a proxy puts it.
                row.within("td", |cell| cell.link(&format!("problems/{}", problem.code), problem.code));
                row.element("td", &statuses(problem));
                row.element("td", problem.meaning);
            });
        }
    });
    page.element("h2", "Codes of fields");
    page.element("p", "`errors` of a problem names the fields that are wrong, each with one of these codes.");
    page.within("table", |table| {
        table.within("tr", |row| ["Code", "Meaning"].iter().for_each(|name| row.element("th", name)));
        for field in &catalogue.field_codes {
            table.within("tr", |row| {
                row.within("td", |cell| cell.element("code", field.code));
                row.element("td", field.meaning);
            });
        }
    });
    page.finish()
}

fn explained(row: &ProblemRow, code: Code) -> Response {
    let mut page = Page::new(row.title);
    page.within("dl", |list| {
        for (term, text) in [
            ("Code", format!("`{}`", row.code)),
            ("HTTP status", statuses(row)),
            ("What it means", row.meaning.to_owned()),
            ("How to resolve it", row.resolution.to_owned()),
            ("Can a repeat help?", code.repeat().meaning().to_owned()),
        ] {
            list.element("dt", term);
            list.element("dd", &text);
        }
    });
    page.within("p", |text| text.link("../problems", "All problems"));
    page.finish()
}

fn statuses(row: &ProblemRow) -> String {
    row.statuses.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_for_those_who_name_it() {
        for (accept, json) in [
            ("", false),
            ("*/*", false),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", false),
            ("application/json", true),
            ("application/json, text/plain, */*", true),
            ("Application/JSON; q=0.5, text/html; q=0.4", true),
            ("application/json;q=0", false),
            ("application/json, text/html", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            assert_eq!(wants_json(&headers), json, "{accept}");
        }
    }
}
