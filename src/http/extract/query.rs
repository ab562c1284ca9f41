//! The query: every parameter that is unknown, repeated or unreadable is named, all of them at once.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::config::probably_meant;
use crate::domain::clock::Instant;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::filter::Page;
use crate::http::problem::ProblemResponse;

/// The most parameters that one refusal names, before those that have a wrong value.
const MOST_FOUND: usize = 20;

/// Parameters of one route.
pub trait FromQuery: Sized {
    /// Takes what it knows out of `pairs`; what is left over is unknown.
    fn read(pairs: &mut QueryPairs) -> Self;
}

/// The parsed query.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: FromQuery> FromRequestParts<S> for Query<T> {
    type Rejection = ProblemResponse;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ProblemResponse> {
        read(parts).map(Self)
    }
}

/// No parameter at all.
impl FromQuery for () {
    fn read(_: &mut QueryPairs) -> Self {}
}

/// The parameters of a route.
pub(super) fn read<T: FromQuery>(parts: &Parts) -> Result<T, ProblemResponse> {
    let mut pairs = QueryPairs::parse(parts.uri.query().unwrap_or_default());
    let query = T::read(&mut pairs);
    pairs.finish().map(|()| query).map_err(ProblemResponse::invalid)
}

/// What stands in a query and has not been taken yet, and what was wrong with what was.
#[derive(Debug)]
pub struct QueryPairs {
    pairs: Vec<(String, String)>,
    findings: Vec<FieldError>,
    /// The parameters that the route takes.
    known: Vec<&'static str>,
}

impl QueryPairs {
    /// The pairs of a query string.
    pub fn parse(query: &str) -> Self {
        let pairs = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Self { pairs, findings: Vec::new(), known: Vec::new() }
    }

    /// Every value of `name`.
    pub fn many<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Vec<T> {
        self.take(name).iter().filter_map(|text| self.parsed(name, text)).collect()
    }

    /// The single value of the parameter `name`.
    pub fn one<T: FromStr<Err: Display>>(&mut self, name: &'static str) -> Option<T> {
        let values = self.take(name);
        if values.len() > 1 {
            self.refuse(name, FieldCode::Duplicate, "may be given only once");
        }
        values.first().and_then(|text| self.parsed(name, text))
    }

    /// The one text of `name`. Control characters stand in no field of ours, and the database takes no NUL.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        let text: String = self.one(name)?;
        if text.contains(char::is_control) {
            self.refuse(name, FieldCode::Invalid, "must be printable");
        }
        Some(text)
    }

    /// The one instant of `name`.
    pub fn instant(&mut self, name: &'static str) -> Option<Instant> {
        // A plus that was not encoded arrives as a space.
        let text = self.one::<String>(name)?.replace(' ', "+");
        let instant = chrono::DateTime::parse_from_rfc3339(&text).ok();
        if instant.is_none() {
            self.refuse(name, FieldCode::Invalid, "must be a time as in RFC 3339, such as 2026-01-31T08:00:00Z");
        }
        instant.map(|instant| instant.to_utc())
    }

    /// The one word of `name`, as `read` knows it; `allowed` lists the words.
    pub fn word<T>(&mut self, name: &'static str, read: impl Fn(&str) -> Option<T>, allowed: &str) -> Option<T> {
        let text = self.one::<String>(name)?;
        let found = read(&text);
        if found.is_none() {
            self.refuse(name, FieldCode::Invalid, format!("must be one of {allowed}"));
        }
        found
    }

    /// `limit` and `cursor`.
    pub fn page(&mut self) -> Page {
        let limit = self.one::<u32>("limit").unwrap_or(Page::DEFAULT_LIMIT);
        if !(1..=Page::MAX_LIMIT).contains(&limit) {
            self.refuse("limit", FieldCode::OutOfRange, "must be 1 to 100");
        }
        Page { limit, cursor: self.one("cursor") }
    }

    /// Notes that the value of `name` is not allowed.
    pub fn refuse(&mut self, name: &str, code: FieldCode, detail: impl Into<String>) {
        self.findings.push(FieldError::new(name, code, detail.into()));
    }

    /// Every refusal, also of parameters that nobody took.
    pub fn finish(mut self) -> Result<(), Vec<FieldError>> {
        for (name, _) in std::mem::take(&mut self.pairs) {
            let name: String = name.chars().take(128).collect();
            let detail = match probably_meant(&name, self.known.iter().copied()) {
                Some(near) => format!("is not a parameter of this operation; did you mean `{near}`?"),
                None => "is not a parameter of this operation".to_owned(),
            };
            self.refuse(&name, FieldCode::UnknownParameter, detail);
            if self.findings.len() >= MOST_FOUND {
                break;
            }
        }
        if self.findings.is_empty() { Ok(()) } else { Err(self.findings) }
    }

    fn take(&mut self, name: &'static str) -> Vec<String> {
        self.known.push(name);
        let taken = self.pairs.extract_if(.., |(key, _)| key == name);
        taken.map(|(_, value)| value).collect()
    }

    fn parsed<T: FromStr<Err: Display>>(&mut self, name: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.refuse(name, FieldCode::Invalid, error.to_string())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::image_cache::status::Status;

    fn names(findings: Result<(), Vec<FieldError>>) -> Vec<(String, &'static str)> {
        findings.unwrap_err().into_iter().map(|error| (error.field, error.code.as_str())).collect()
    }

    #[test]
    fn a_repeated_key_is_a_list() {
        let mut pairs = QueryPairs::parse("status=ready&status=update_failed");
        assert_eq!(pairs.many::<Status>("status"), [Status::Ready, Status::UpdateFailed]);
        pairs.finish().unwrap();
    }

    #[test]
    fn everything_wrong_is_named_at_once() {
        let mut pairs = QueryPairs::parse("status=Ready&name=a&name=b&limit=0&colour=red");
        pairs.many::<Status>("status");
        pairs.one::<String>("name");
        pairs.page();
        let found = names(pairs.finish());
        let expected =
            [("status", "invalid"), ("name", "duplicate"), ("limit", "out_of_range"), ("colour", "unknown_parameter")];
        assert_eq!(found, expected.map(|(name, code)| (name.to_owned(), code)));
    }

    #[test]
    fn each_that_nobody_knows_is_named_with_what_was_probably_meant() {
        let mut pairs = QueryPairs::parse("staus=ready&Limit=3&colour=red");
        pairs.many::<Status>("status");
        pairs.page();
        let found = pairs.finish().unwrap_err();
        let told: Vec<&str> = found.iter().map(|error| error.detail.rsplit(';').next().unwrap().trim()).collect();
        let unknown = "is not a parameter of this operation";
        assert_eq!(told, ["did you mean `status`?", "did you mean `limit`?", unknown]);
        let many: Vec<String> = (0..100).map(|n| format!("p{n}=1")).collect();
        assert_eq!(QueryPairs::parse(&many.join("&")).finish().unwrap_err().len(), MOST_FOUND);
    }

    #[test]
    fn a_page_has_twenty_items_where_nothing_is_asked() {
        assert_eq!(QueryPairs::parse("").page(), Page { limit: 20, cursor: None });
        assert_eq!(QueryPairs::parse("limit=100&cursor=a%2Bb").page(), Page { limit: 100, cursor: Some("a+b".into()) });
    }
}
