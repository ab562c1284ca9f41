//! The names of our fields on the wire.

use crate::domain::image_cache::spec::fields::objects::members_of;
use crate::domain::image_cache::spec::fields::{ALL, ValueForm};

/// The parameter for a JSON pointer: `/acr_registries/0/domains/1` is `AcrRegistryInfo.1.Domain.2`. A tag is named by
/// its key, because it has no position; a field without a name on the wire is returned unchanged.
pub fn parameter(pointer: &str) -> String {
    let mut parts = pointer.trim_start_matches('/').split('/');
    let first = parts.next().unwrap_or_default();
    let Some(field) = ALL.iter().find(|field| field.name == first) else { return pointer.to_owned() };
    // It is one parameter, however many values it has.
    if !field.is_numbered() {
        return field.wire.to_owned();
    }
    let is_tag = matches!(field.form, ValueForm::Tags { .. });
    let wire = |part: &str| {
        let member = members_of(field).iter().find(|member| member.name == part);
        let place = || part.parse::<usize>().ok().filter(|_| !is_tag).map(|place| place.saturating_add(1).to_string());
        member.map(|member| member.parameter().to_owned()).or_else(place).unwrap_or_else(|| part.to_owned())
    };
    parts.fold(field.parameter().to_owned(), |name, part| format!("{name}.{}", wire(part)))
}
