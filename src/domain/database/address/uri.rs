//! `postgres://user:password@host:port/database?name=value`: split the way libpq does, into names and values.
//!
//! libpq has no fragments, so a `#` needs no escape; the first `@` ends the password, and an earlier `/` ends it too.

use std::net::Ipv6Addr;

use super::AddressError;

pub(super) type UriParameters = Vec<(String, String)>;

/// Parses what follows the scheme.
pub(super) fn pairs(rest: &str) -> Result<UriParameters, AddressError> {
    let (user, rest) = match rest.find(['@', '/']) {
        Some(at) if rest[at..].starts_with('@') => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    };
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (hosts, database) = place.split_once('/').unwrap_or((place, ""));
    unescaped(user, hosts, database)?;
    let mut pairs = UriParameters::new();
    if let Some(user) = user {
        userinfo(user, &mut pairs)?;
    }
    self::hosts(hosts, user.is_some(), &mut pairs)?;
    add(&mut pairs, "dbname", &decoded(database)?);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(AddressError::new(
                "has a parameter without =: each behind the ? is name=value, and an & in a value is written %26",
            ));
        };
        pairs.push((decoded(name)?, decoded(value)?));
    }
    Ok(pairs)
}

/// Reports an unexpected `@`, which means that the password ended too early.
fn unescaped(user: Option<&str>, hosts: &str, database: &str) -> Result<(), AddressError> {
    let told = match (user, hosts.contains('@'), database.contains('@')) {
        (Some(_), true, _) => "an @ in the user name or the password is written %40",
        (None, _, true) => "a / in the user name or the password is written %2F",
        (Some(_), _, true) => "in the user name, the password and the database's name an @ is written %40, a / %2F",
        _ => return Ok(()),
    };
    Err(AddressError::new(format!("cannot be taken apart: {told}")))
}

fn userinfo(text: &str, pairs: &mut UriParameters) -> Result<(), AddressError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    add(pairs, "user", &decoded(user)?);
    add(pairs, "password", &decoded(password)?);
    Ok(())
}

/// Several hosts become lists of hosts and ports, as in `host=a,b`.
fn hosts(text: &str, has_user: bool, pairs: &mut UriParameters) -> Result<(), AddressError> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for one in text.split(',') {
        let (host, port) = host_and_port(one)?;
        if !has_user && !port.is_empty() && port.parse::<u16>().is_err() {
            return Err(AddressError::new(
                "has no @ behind a password, or a port that is no number: in a password a / is written %2F, an @ %40, a # %23, and a port is from 1 to 65535",
            ));
        }
        hosts.push(decoded(host)?);
        ports.push(port.to_owned());
    }
    add(pairs, "host", &hosts.join(","));
    if ports.iter().any(|port| !port.is_empty()) {
        add(pairs, "port", &ports.join(","));
    }
    Ok(())
}

fn host_and_port(text: &str) -> Result<(&str, &str), AddressError> {
    let brackets = || AddressError::new("must have an IPv6 address in brackets, with the port behind: [::1]:5432");
    let Some(inside) = text.strip_prefix('[') else {
        let (host, port) = text.split_once(':').unwrap_or((text, ""));
        return if port.contains(':') { Err(brackets()) } else { Ok((host, port)) };
    };
    let (host, behind) = inside.split_once(']').ok_or_else(brackets)?;
    // The address may have a zone, as in fe80::1%25eth0.
    host.split('%').next().unwrap_or_default().parse::<Ipv6Addr>().map_err(|_| brackets())?;
    match behind.strip_prefix(':') {
        Some(port) => Ok((host, port)),
        None if behind.is_empty() => Ok((host, "")),
        None => Err(brackets()),
    }
}

fn add(pairs: &mut UriParameters, name: &str, value: &str) {
    if !value.is_empty() {
        pairs.push((name.to_owned(), value.to_owned()));
    }
}

fn decoded(text: &str) -> Result<String, AddressError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, behind)) = rest.split_first() {
        rest = behind;
        if first != b'%' {
            bytes.push(first);
            continue;
        }
        let digits = rest.get(..2).filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok());
        let byte = byte.filter(|byte| *byte != 0).ok_or_else(|| {
            AddressError::new("has a % without the two hexadecimal digits of a character: a % itself is written %25")
        })?;
        bytes.push(byte);
        rest = &rest[2..];
    }
    String::from_utf8(bytes).map_err(|_| AddressError::new("has %-escapes that are no UTF-8"))
}
