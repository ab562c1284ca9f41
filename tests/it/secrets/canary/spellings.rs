//! The eight encodings in which a secret may appear, and a search for all of them.

use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use eci_cache_gateway::eci::sign_v1;

/// A secret, and the place that accepts it.
pub(super) struct Canary {
    pub(super) place: &'static str,
    pub(super) secret: Vec<u8>,
}

impl Canary {
    pub(super) fn new(place: &'static str, secret: impl AsRef<[u8]>) -> Self {
        let secret = secret.as_ref().to_vec();
        assert!(secret.len() >= 10, "{place}: too short to mean anything where it is found");
        Self { place, secret }
    }

    /// Its encodings, each with its name.
    pub(super) fn spellings(&self) -> Vec<(&'static str, Vec<u8>)> {
        let hex = |form: fn(&u8) -> String| self.secret.iter().map(form).collect::<String>().into_bytes();
        let mut all = vec![
            ("plain", self.secret.clone()),
            ("hex", hex(|byte| format!("{byte:02x}"))),
            ("HEX", hex(|byte| format!("{byte:02X}"))),
            ("reversed", self.secret.iter().rev().copied().collect()),
        ];
        if let Ok(text) = std::str::from_utf8(&self.secret) {
            let json = serde_json::to_string(text).unwrap();
            all.push(("percent", sign_v1::encode(text).into_bytes()));
            all.push(("form", url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().into_bytes()));
            all.push(("json", json.as_bytes()[1..json.len() - 1].to_vec()));
        }
        // Within a longer text it may begin at any of three positions of a group.
        for (name, engine) in [("base64", &BASE64_STANDARD_NO_PAD), ("base64url", &BASE64_URL_SAFE_NO_PAD)] {
            for before in 0..3 {
                let text = engine.encode([&vec![0; before][..], &self.secret].concat());
                let (from, to) = ([0, 2, 3][before], text.len() - 2);
                all.push((name, text.as_bytes()[from..to].to_vec()));
            }
        }
        all
    }
}

/// What is found where: place of the canary, encoding, sink.
pub(super) fn search(canaries: &[Canary], sinks: &[(&str, Vec<u8>)]) -> Vec<String> {
    let mut found = Vec::new();
    for canary in canaries {
        for (spelling, bytes) in canary.spellings() {
            for (sink, text) in sinks {
                if let Some(at) = memchr::memmem::find(text, &bytes) {
                    let around = &text[at.saturating_sub(60)..(at + bytes.len() + 30).min(text.len())];
                    let around = String::from_utf8_lossy(around).into_owned();
                    found.push(format!("{} as {spelling} in {sink}: …{around}…", canary.place));
                }
            }
        }
    }
    found
}
