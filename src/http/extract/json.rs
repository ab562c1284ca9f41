//! The body: JSON of a known shape, read within a deadline and a size. A route that takes one takes no query.

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{FromRequest, OptionalFromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_LENGTH;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::app::admission;
use crate::app::input::IdempotencyKey;
use crate::domain::field::FieldError;
use crate::domain::idempotency::meaning;
use crate::http::HttpSettings;
use crate::http::exchange::Exchange;
use crate::http::extract::query;
use crate::http::problem::ProblemResponse;
use crate::net::{self, body::BodyError};

mod canonical;
mod fault;
mod faults;
mod media;

use canonical::Canonical;

/// Members of which the audit keeps not even a hash: whole credentials that are to be looked at.
const UNNOTED: [&str; 1] = ["token"];

/// What a route takes as its body.
pub trait JsonBody: DeserializeOwned {
    /// What is wrong with the values of a body that has other faults already (fields that are unknown, absent or of
    /// another type), so that one refusal names all. A body without such faults is checked where it is used.
    fn value_errors(self) -> Vec<FieldError> {
        Vec::new()
    }
}

/// A parsed body. A member that is `null` counts as left out.
#[derive(Debug)]
pub struct Json<T> {
    /// What it says.
    pub value: T,
    /// How it said it.
    raw: Bytes,
}

impl<T> Json<T> {
    /// An idempotency key, bound to what this body means. (The exact bytes are what keys were bound to before.)
    pub fn key(&self, key: String) -> IdempotencyKey {
        let meant =
            serde_json::from_slice::<Canonical>(&self.raw).map(|Canonical(value)| value.to_string().into_bytes());
        IdempotencyKey { key, meaning: meant.unwrap_or_else(|_| self.raw.to_vec()), exact: Some(self.raw.to_vec()) }
    }

    /// The items of a list in the body, as they were sent.
    pub fn items(&self, member: &str) -> Vec<JsonItem> {
        let meant = serde_json::from_slice::<Canonical>(&self.raw).map(|Canonical(value)| value);
        let items = meant.ok().and_then(|mut meant| match meant.get_mut(member).map(Value::take) {
            Some(Value::Array(items)) => Some(items),
            _ => None,
        });
        items.into_iter().flatten().map(JsonItem).collect()
    }
}

/// One item of a list in a body.
#[derive(Debug)]
pub struct JsonItem(Value);

impl JsonItem {
    /// The key of the item at this place of a request with `key`. No client can send a key with a line break: it is
    /// nobody else's.
    pub fn key(&self, key: &str, place: usize) -> IdempotencyKey {
        IdempotencyKey { key: format!("{key}\n{place}"), meaning: self.0.to_string().into_bytes(), exact: None }
    }

    /// The text of one of its members.
    pub fn text(&self, member: &str) -> Option<String> {
        self.0.get(member).and_then(Value::as_str).map(str::to_owned)
    }

    /// What it asks for, for its audit entry.
    pub fn parameters(&self) -> Vec<(String, String)> {
        fields(&self.0)
    }
}

impl<T> Json<T> {
    /// The same, of a request that is about a resource.
    pub fn key_about(&self, resource: &str, key: String) -> IdempotencyKey {
        let key = self.key(key);
        IdempotencyKey { meaning: meaning(&[resource.as_bytes(), &key.meaning]), exact: None, ..key }
    }
}

/// A body that is read before its handler reads it, to tell whether it asks for the same again. What is wrong with it
/// the handler will say.
#[derive(Debug)]
pub struct PeekedBody {
    /// Its bytes, as they came.
    pub raw: Bytes,
    /// What it says in a canonical form; its bytes, if it cannot be read.
    pub meaning: Vec<u8>,
    /// Its members, for the audit.
    pub fields: Vec<(String, String)>,
}

impl PeekedBody {
    /// Reads the whole body.
    pub async fn read(headers: &HeaderMap, body: Body, settings: HttpSettings) -> Result<Self, ProblemResponse> {
        let raw = admission::without_permit(read_body(headers, body, settings)).await?;
        admission::reacquire_permit().await?;
        let text = media::coding(headers).and_then(|coding| media::text(raw.clone(), coding, settings.max_body_bytes));
        Ok(match text.and_then(|text| read(&text)) {
            Ok(Canonical(meant)) => Self { meaning: meant.to_string().into_bytes(), fields: noted(&meant), raw },
            Err(_) => Self { meaning: raw.to_vec(), fields: Vec::new(), raw },
        })
    }
}

impl<S: Send + Sync, T: JsonBody> FromRequest<S> for Json<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, _: &S) -> Result<Self, ProblemResponse> {
        let (parts, body) = request.into_parts();
        let exchange = Exchange::of(&parts);
        let settings = exchange.as_ref().map(|exchange| exchange.settings).unwrap_or_default();
        media::check_type(&parts.headers)?;
        let coding = media::coding(&parts.headers)?;
        // To pass over what stands there could cost money: `?dry_run=true` would be a create.
        query::read::<()>(&parts)?;
        // Whoever sends slowly holds no place meanwhile.
        let raw = admission::without_permit(read_body(&parts.headers, body, settings)).await?;
        admission::reacquire_permit().await?;
        let raw = media::text(raw, coding, settings.max_body_bytes)?;
        let Canonical(meant) = read(&raw)?;
        if let Some(exchange) = exchange {
            exchange.call.asks(noted(&meant));
        }
        let value = faults::typed(meant, raw.len()).map_err(ProblemResponse::invalid)?;
        Ok(Self { value, raw })
    }
}

/// A body that may be left out, where all that it can say may be: then there is not a byte of it, whatever its type.
impl<S: Send + Sync, T: JsonBody> OptionalFromRequest<S> for Json<T> {
    type Rejection = ProblemResponse;

    async fn from_request(request: Request, state: &S) -> Result<Option<Self>, ProblemResponse> {
        if !request.body().is_end_stream() {
            return <Self as FromRequest<S>>::from_request(request, state).await.map(Some);
        }
        query::read::<()>(&request.into_parts().0).map(|()| None)
    }
}

/// The members of an object of which the audit may keep something.
fn noted(meant: &Value) -> Vec<(String, String)> {
    fields(meant).into_iter().filter(|(name, _)| !UNNOTED.contains(&name.as_str())).collect()
}

/// The members of an object, each as text; of anything else, none.
fn fields(meant: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, value) in meant.as_object().into_iter().flatten() {
        let name = name.clone();
        match value {
            Value::String(text) => found.push((name, text.clone())),
            Value::Array(items) if items.iter().all(Value::is_string) => {
                found.extend(items.iter().filter_map(Value::as_str).map(|item| (name.clone(), item.to_owned())));
            }
            other => found.push((name, other.to_string())),
        }
    }
    found
}

/// The whole body, within the limits.
pub async fn read_body(headers: &HeaderMap, body: Body, settings: HttpSettings) -> Result<Bytes, ProblemResponse> {
    let limit = settings.max_body_bytes;
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > limit) {
        return Err(ProblemResponse::too_large(limit));
    }
    net::body::read(body, limit, settings.body_deadline).await.map_err(|unread| match unread {
        BodyError::TooLarge => ProblemResponse::too_large(limit),
        BodyError::BrokenOff => ProblemResponse::broken_body(),
        BodyError::TooSlow => ProblemResponse::body_timeout(),
    })
}

/// The one value of a text.
fn read(text: &[u8]) -> Result<Canonical, ProblemResponse> {
    let mut source = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(&mut source).map_err(|error| fault::refusal(&error))?;
    source.end().map_err(|_| ProblemResponse::malformed_json("there is content after the end of the JSON value"))?;
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_members_of_an_object_are_what_was_asked() {
        let body = br#"{"name":"web","images":["a","b"],"size_gib":20,"registry_credentials":[{"password":"p"}]}"#;
        let Canonical(body) = read(body).unwrap();
        let found: Vec<String> = fields(&body).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        let nested = r#"registry_credentials=[{"password":"p"}]"#;
        assert_eq!(found, ["images=a", "images=b", "name=web", nested, "size_gib=20"]);
        assert!(fields(&Value::from(vec![1])).is_empty());
    }

    #[tokio::test]
    async fn a_body_over_the_limit_is_refused_declared_or_not() {
        let settings = HttpSettings { max_body_bytes: 4, ..HttpSettings::default() };
        let headers = HeaderMap::new();
        assert_eq!(read_body(&headers, Body::from("1234"), settings).await.unwrap(), "1234");
        assert_eq!(read_body(&headers, Body::from("12345"), settings).await.unwrap_err().code(), "body_too_large");
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_LENGTH, "5".parse().unwrap());
        assert_eq!(read_body(&headers, Body::empty(), settings).await.unwrap_err().code(), "body_too_large");
    }
}
