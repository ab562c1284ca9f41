//! Whatever a stranger sends: reading a request, verifying it, and reading its parameters never panics.
//!
//! The input is a request in lines: method, path, query, then headers (`name:value`) up to an empty line, then
//! the body. With the first byte above 127 the rest is read as a form instead, straight into the readers.

#![no_main]

use eci_cache_gateway::eci::incoming::{Incoming, Request, format_of};
use eci_cache_gateway::eci::params::read;
use eci_cache_gateway::eci::usage;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let Some((first, rest)) = input.split_first() else { return };
    if *first > 127 {
        let text = String::from_utf8_lossy(rest);
        let pair = |part: &str| part.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
        readers(&text.split('&').filter_map(pair).collect::<Vec<_>>());
        return;
    }
    let end = input.windows(2).position(|pair| pair == b"\n\n").unwrap_or(input.len());
    let head = String::from_utf8_lossy(&input[..end]);
    let body = input.get(end + 2..).unwrap_or_default();
    let mut lines = head.lines();
    let (method, path) = (lines.next().unwrap_or_default(), lines.next().unwrap_or_default());
    let query = lines.next().unwrap_or_default();
    let header = |line: &str| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()));
    let headers: Vec<_> = lines.filter_map(header).collect();
    let request = Request { method, path, query, headers: &headers, body };
    let _format = format_of(&request);
    match Incoming::read(&request) {
        Ok(incoming) => {
            if let Err(refusal) = incoming.verify(&"secret".to_owned().into()) {
                let _told = (refusal.code(), refusal.message());
            }
            let _timely = incoming.check_time(incoming.signed_at);
            readers(&incoming.params);
        }
        Err(refusal) => drop((refusal.code(), refusal.message())),
    }
});

fn readers(params: &[(String, String)]) {
    if let Ok((new, _)) = read::read_create(params) {
        for error in new.check().err().unwrap_or_default() {
            let _told = read::Refused::of_field(&error);
        }
    }
    let _read = (read::read_update(params), read::read_delete(params));
    let _read = (read::read_describe(params), usage::read(params));
}
