//! Refusals in the cloud's words: its codes, its HTTP statuses, its names of parameters.
//!
//! A refusal in the cloud's words has a code that begins with a capital; what layers made (deadlines, sizes,
//! panics) has not, and is put into words by the wrapper.

use axum::http::StatusCode;

use crate::app::Error;
use crate::domain::caller::Scope;
use crate::domain::failure::CloudError;
use crate::domain::field::FieldError;
use crate::eci::incoming;
use crate::http::problem::Refusal;

const CONFLICT: &str = "The request was denied. It conflicts with a previous request.";
const UNAVAILABLE: &str = "The request has failed due to a temporary failure of the server.";
const INTERNAL: &str = "The request processing has failed due to some unknown error, exception or failure.";

/// A refusal in the cloud's words.
pub(super) fn refusal(status: u16, code: &str, message: impl Into<String>) -> Refusal {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
    Refusal::new(status, code, code, message)
}

/// A request that was not understood or is not signed.
pub(super) fn of_incoming(wrong: &incoming::Refusal) -> Refusal {
    refusal(wrong.http_status(), &wrong.code(), wrong.message().into_owned())
}

/// What nothing was done of, as far as the caller is concerned.
pub(super) fn unavailable(more: &str) -> Refusal {
    refusal(503, "ServiceUnavailable", format!("{UNAVAILABLE} {more}").trim_end())
}

/// What `app` refused.
pub(super) fn of_error(error: Error) -> Refusal {
    match error {
        Error::Unauthenticated { .. } => of_incoming(&incoming::Refusal::UnknownKey),
        Error::Forbidden(scope) => forbidden(scope),
        Error::NotFound(_) => refusal(404, "InvalidParameter.NotFound", "The specified ImageCacheId does not exist."),
        Error::Invalid(fields) => invalid(&fields),
        Error::Conflict { code: "image_cache_not_updatable", detail } => {
            refusal(400, "ImageCache.IncorrectStatus", format!("The status of the image cache is wrong: {detail}."))
        }
        Error::Conflict { detail, .. } => refusal(400, "OperationConflict", format!("{CONFLICT} ({detail})")),
        Error::PreconditionFailed { .. } | Error::IdempotencyInFlight => refusal(400, "OperationConflict", CONFLICT),
        Error::IdempotencyMismatch => {
            let message = "The request uses the same client token as a previous, but non-identical request. Do not \
                           reuse a client token with different requests, unless the requests are identical.";
            refusal(400, "IdempotentParameterMismatch", message)
        }
        Error::CloudRefused { error, .. } => cloud(error),
        Error::Unavailable { detail, .. } => unavailable(&format!("({detail})")),
        // The wrapper puts it into words and logs the cause.
        Error::Internal(cause) => Refusal::internal(cause),
    }
}

fn forbidden(scope: Scope) -> Refusal {
    let message = format!(
        "The specified action is not available for you. (The access key lacks the scope {}.)",
        scope.as_str()
    );
    refusal(403, "Forbidden.SubUser", message)
}

/// As the cloud said it; its texts are redacted where they come in.
fn cloud(error: CloudError) -> Refusal {
    let status = if (400..600).contains(&error.http_status) { error.http_status } else { 400 };
    refusal(status, &error.code, error.message)
}

/// All fields in one message; the first decides the code.
fn invalid(fields: &[FieldError]) -> Refusal {
    let missing = fields.first().is_some_and(|field| field.code == "required" && !field.field.is_empty());
    let code = if missing { "MissingParameter" } else { "InvalidParameter" };
    let told: Vec<String> = fields.iter().map(told).collect();
    refusal(400, code, told.join(" "))
}

fn told(error: &FieldError) -> String {
    let name = wire_name(&error.field);
    if error.code == "required" && !name.is_empty() {
        return format!("The input parameter \"{name}\" that is mandatory for processing this request is not supplied.");
    }
    if name.is_empty() {
        return format!("The request is not valid: {}.", error.detail);
    }
    format!("The specified parameter {name} is not valid: {}.", error.detail)
}

/// The cloud's name of a field: `/images/3` is `Image.4`. What is no pointer is a name on the wire already.
fn wire_name(field: &str) -> String {
    let Some(pointer) = field.strip_prefix('/') else { return field.to_owned() };
    let mut name = String::new();
    let mut parts = pointer.split('/');
    let first = parts.next().unwrap_or_default();
    name.push_str(top_name(first));
    if first == "tags" {
        // Its places are keys, not numbers, and a key tells more than the place that it had.
        let key = parts.next().map(|key| key.replace("~1", "/").replace("~0", "~"));
        return key.map_or(name.clone(), |key| format!("{name}.N.Key {key}"));
    }
    for part in parts {
        name.push('.');
        match part.parse::<usize>() {
            Ok(place) => name.push_str(&(place + 1).to_string()),
            Err(_) => name.push_str(inner_name(part)),
        }
    }
    if ["vswitch_ids", "plain_http_registries", "insecure_registries"].contains(&first) {
        // One parameter, its values joined by commas.
        name.truncate(name.find('.').unwrap_or(name.len()));
    }
    name
}

fn top_name(field: &str) -> &str {
    match field {
        "name" => "ImageCacheName",
        "region" => "RegionId",
        "images" => "Image",
        "vswitch_ids" => "VSwitchId",
        "security_group_id" => "SecurityGroupId",
        "eip_instance_id" => "EipInstanceId",
        "zone_id" => "ZoneId",
        "resource_group_id" => "ResourceGroupId",
        "size_gib" => "ImageCacheSize",
        "retention_days" => "RetentionDays",
        "flash" => "Flash",
        "reuse_layers" => "AutoMatchImageCache",
        "tags" => "Tag",
        "acr_registries" => "AcrRegistryInfo",
        "plain_http_registries" => "PlainHttpRegistry",
        "insecure_registries" => "InsecureRegistry",
        "annotations" => "Annotations",
        "os_type" => "OsType",
        "standard_copy_count" => "StandardCopyCount",
        "flash_copy_count" => "FlashCopyCount",
        "elimination_strategy" => "EliminationStrategy",
        "registry_credentials" => "ImageRegistryCredential",
        "cursor" => "NextToken",
        other => other,
    }
}

fn inner_name(field: &str) -> &str {
    match field {
        "server" => "Server",
        "user_name" => "UserName",
        "password" => "Password",
        "instance_id" => "InstanceId",
        "instance_name" => "InstanceName",
        "region_id" => "RegionId",
        "domains" => "Domain",
        "arn_service" => "ArnService",
        "arn_user" => "ArnUser",
        other => other,
    }
}

/// What a layer refused, in the cloud's words. What is in them already stays as it is.
pub(in crate::http) fn of_layer(refusal: Refusal) -> Refusal {
    if refusal.code().starts_with(|first: char| first.is_ascii_uppercase()) || is_own(&refusal) {
        return refusal;
    }
    let detail = refusal.detail().to_owned();
    match refusal.status().as_u16() {
        408 => refusal.reworded(StatusCode::REQUEST_TIMEOUT, "RequestTimeout", detail),
        413 => refusal.reworded(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", detail),
        503 => refusal.reworded(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", UNAVAILABLE),
        500.. => refusal.reworded(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", INTERNAL),
        status => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST);
            refusal.reworded(status, "InvalidParameter", detail)
        }
    }
}

/// The cloud has one code that begins small.
fn is_own(refusal: &Refusal) -> bool {
    refusal.code() == "containerRepositoryAuthorizationFailed"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_have_their_names_on_the_wire() {
        for (field, name) in [
            ("/images/3", "Image.4"),
            ("/images", "Image"),
            ("/size_gib", "ImageCacheSize"),
            ("/vswitch_ids/2", "VSwitchId"),
            ("/tags/a~1b", "Tag.N.Key a/b"),
            ("/tags", "Tag"),
            ("/registry_credentials/0/user_name", "ImageRegistryCredential.1.UserName"),
            ("/acr_registries/1/domains/0", "AcrRegistryInfo.2.Domain.1"),
            ("Limit", "Limit"),
            ("", ""),
        ] {
            assert_eq!(wire_name(field), name, "{field}");
        }
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let fields = vec![
            FieldError::new("/size_gib", "out_of_range", "must be 20 to 32768 (GiB)"),
            FieldError::new("/images", "required", "must be given"),
        ];
        let refusal = of_error(Error::Invalid(fields));
        assert_eq!((refusal.status().as_u16(), refusal.code()), (400, "InvalidParameter"));
        assert_eq!(
            refusal.detail(),
            "The specified parameter ImageCacheSize is not valid: must be 20 to 32768 (GiB). The input parameter \
             \"Image\" that is mandatory for processing this request is not supplied."
        );
    }

    #[test]
    fn what_layers_made_is_put_into_words() {
        for (made, code, status) in [
            (Refusal::too_large(1), "RequestEntityTooLarge", 413),
            (Refusal::body_timeout(), "RequestTimeout", 408),
            (Refusal::request_timeout(), "ServiceUnavailable", 503),
            (Refusal::audit_unavailable(), "ServiceUnavailable", 503),
            (Refusal::internal("secret cause"), "InternalError", 500),
            (Refusal::broken_body(), "InvalidParameter", 400),
            (refusal(400, "QuotaExceeded", "x"), "QuotaExceeded", 400),
        ] {
            let worded = of_layer(made);
            assert_eq!((worded.code(), worded.status().as_u16()), (code, status));
            assert!(!worded.detail().contains("secret"));
        }
    }
}
