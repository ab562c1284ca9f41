//! Request bodies, and how they become the domain's words. Unknown fields are refused; a `null` counts as left out.

use chrono::{DateTime, Datelike as _, Utc};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use utoipa::ToSchema;

mod convert;
mod spec;

pub(super) use spec::{ImageCacheChangesBody, NewImageCacheBody};

/// A time that the database keeps and RFC 3339 can say.
pub(in crate::http::rest) fn instant<'de, D: Deserializer<'de>>(from: D) -> Result<DateTime<Utc>, D::Error> {
    let at = DateTime::<Utc>::deserialize(from)?;
    let sane = (0..=9_999).contains(&at.year());
    if sane { Ok(at) } else { Err(D::Error::custom("must be a time of the years 0000 to 9999")) }
}

/// The same where it may be left out.
pub(in crate::http::rest) fn given_instant<'de, D: Deserializer<'de>>(
    from: D,
) -> Result<Option<DateTime<Utc>>, D::Error> {
    #[derive(Deserialize)]
    struct At(#[serde(deserialize_with = "instant")] DateTime<Utc>);
    Ok(given::<D, At>(from)?.map(|At(at)| at))
}

/// What is given is not null: a `null` was taken out before ([`crate::http::extract::Json`]).
pub(in crate::http::rest) fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    from: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

/// An access key to create.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AccessKeyCreate)]
pub(in crate::http::rest) struct NewAccessKeyBody {
    /// A description for human readers, at most 256 characters.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false, max_length = 256)]
    description: Option<String>,
    /// The scopes of the key: `read`, `write`. You can grant only scopes that you have. Defaults to both.
    #[serde(default, deserialize_with = "given")]
    #[schema(nullable = false)]
    scopes: Option<Vec<String>>,
    /// When the key expires. As with API keys, this can be no later than the end of your own credential, unless the
    /// team's policy sets `max_key_life_days` or you have the scope `platform:security`. Defaults to the earlier
    /// of the two limits.
    #[serde(default, deserialize_with = "given_instant")]
    #[schema(nullable = false)]
    expires_at: Option<DateTime<Utc>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::image_cache::spec::NewImageCache;

    fn read(body: &str) -> Result<NewImageCacheBody, serde_json::Error> {
        serde_json::from_str(body)
    }

    #[test]
    fn a_body_of_the_required_fields_alone_is_enough() {
        let body = read(r#"{"name":"web","region":"cn-hangzhou","images":["nginx:1"]}"#).unwrap();
        let new = NewImageCache::try_from(body).unwrap();
        assert_eq!((new.spec.name.as_str(), new.spec.region.as_str()), ("web", "cn-hangzhou"));
        assert_eq!((new.spec.size_gib, new.spec.tags.len(), new.registry_credentials.len()), (None, 0, 0));
        new.check().unwrap();
    }

    #[test]
    fn null_and_unknown_fields_are_refused() {
        for field in [r#""size_gib":null"#, r#""tags":null"#, r#""imageCacheName":"x""#] {
            let body = format!(r#"{{"name":"web","region":"cn-hangzhou","images":["nginx:1"],{field}}}"#);
            assert!(read(&body).is_err(), "{field}");
        }
        assert!(serde_json::from_str::<ImageCacheChangesBody>(r#"{"retention_days":null}"#).is_err());
    }

    #[test]
    fn a_wrong_region_hides_nothing_else_that_is_wrong() {
        let body = read(r#"{"name":"","region":"X","images":[]}"#).unwrap();
        let errors = NewImageCache::try_from(body).unwrap_err();
        let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
        assert_eq!(fields, ["/region", "/name", "/images"]);
    }

    #[test]
    fn a_password_is_not_printed() {
        let login = r#"{"server":"r.example","user_name":"u","password":"hunter2"}"#;
        let body = format!(r#"{{"name":"a","region":"cn-hangzhou","images":["a"],"registry_credentials":[{login}]}}"#);
        let body = read(&body).unwrap();
        assert!(!format!("{body:?}").contains("hunter2"));
        assert_eq!(NewImageCache::try_from(body).unwrap().registry_credentials[0].server, "r.example");
    }
}
