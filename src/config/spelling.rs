//! How a value is judged and a refusal is worded, whichever setting it is.

use std::net::IpAddr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::SettingError;
use super::keys::{SECRET, variable_of};

/// The longest part of a wrong value that is repeated in a message, in characters.
const ECHO: usize = 80;

pub(super) fn must_be(key: &str, allowed: &str, text: &str) -> String {
    // An address may carry a password where none belongs.
    if SECRET.contains(&key) || text.contains("://") && text.contains('@') {
        format!("must be {allowed}")
    } else {
        format!("must be {allowed}, not {:?}", shorten(text))
    }
}

pub(super) fn shorten(text: &str) -> String {
    let mut short: String = text.chars().take(ECHO).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

pub(super) fn is_cidr(text: &str) -> bool {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let Ok(address) = address.parse::<IpAddr>() else { return false };
    let (value, width) = match address {
        // In the upper bits, so that the shift below means the same for both families.
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    match bits.map_or(Ok(width), str::parse) {
        Ok(bits) => bits <= width && value.checked_shl(bits).unwrap_or(0) == 0,
        Err(_) => false,
    }
}

pub(super) fn is_32_bytes(text: &str) -> bool {
    let hex = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    hex || STANDARD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// The variable of a setting, for messages about absent ones.
pub(super) fn missing(key: &str, why: &str) -> SettingError {
    SettingError { setting: variable_of(key), message: format!("{why} ({key} in the file)") }
}
