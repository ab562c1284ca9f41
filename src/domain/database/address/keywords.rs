//! `host=db port=5432 dbname=eci user=eci_runtime password='…'`: libpq's other form.

use std::iter::Peekable;
use std::str::Chars;

use super::AddressError;
use super::uri::UriParameters;

/// The names and values of all `name=value` pairs.
pub(super) fn pairs(text: &str) -> Result<UriParameters, AddressError> {
    let (mut pairs, mut rest) = (UriParameters::new(), text.chars().peekable());
    loop {
        skip_spaces(&mut rest);
        if rest.peek().is_none() {
            return Ok(pairs);
        }
        let name = name(&mut rest)?;
        pairs.push((name, value(&mut rest)?));
    }
}

fn skip_spaces(rest: &mut Peekable<Chars<'_>>) {
    while rest.next_if(|letter| letter.is_whitespace()).is_some() {}
}

fn name(rest: &mut Peekable<Chars<'_>>) -> Result<String, AddressError> {
    let mut name = String::new();
    while let Some(letter) = rest.next_if(|letter| *letter != '=' && !letter.is_whitespace()) {
        name.push(letter);
    }
    skip_spaces(rest);
    if name.is_empty() || rest.next() != Some('=') {
        return Err(AddressError::new(
            "has a word without =: each is name=value, and a value with spaces stands in single quotation marks",
        ));
    }
    skip_spaces(rest);
    Ok(name)
}

/// Up to the next space, or in quotation marks; `\` escapes the next character.
fn value(rest: &mut Peekable<Chars<'_>>) -> Result<String, AddressError> {
    let open = || AddressError::new("has a quotation mark that is not closed: one within a value is written \\'");
    let (quoted, mut value) = (rest.next_if_eq(&'\'').is_some(), String::new());
    loop {
        match rest.next() {
            Some('\'') if quoted => return Ok(value),
            Some(letter) if !quoted && letter.is_whitespace() => return Ok(value),
            Some('\\') => value.extend(rest.next()),
            Some(letter) => value.push(letter),
            None if quoted => return Err(open()),
            None => return Ok(value),
        }
    }
}
