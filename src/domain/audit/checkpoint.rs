//! Checkpoints: the signed statement about the audit's Merkle tree at one size (C2SP tlog-checkpoint).
//!
//! The text of the note, each line ended by a line feed:
//!
//! ```text
//! gateway.example.com/audit                          the origin: which log
//! 1207                                               the size: how many leaves
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=       the root's hash
//! previous 1200                                      the size of the checkpoint before, 0 for the first
//! through 900512 1211                                transaction and number of the last row that was looked at
//! at 2026-03-01T08:00:00.000000Z                     when
//! ```
//!
//! The last three are extension lines of ours: `previous` makes a missing checkpoint detectable, and `through` is where
//! the sealer continues, which nobody without the key can move.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use chrono::SecondsFormat;

use crate::domain::clock::Instant;

/// The signed content of a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The name of the log.
    pub origin: String,
    /// The number of leaves that it covers.
    pub size: i64,
    /// The hash of the tree's root.
    pub root: [u8; 32],
    /// The tree size of the previous checkpoint; 0 for the first.
    pub previous: i64,
    /// Transaction and number of the last row that was read.
    pub through: (i64, i64),
    /// When the checkpoint was created.
    pub at: Instant,
}

impl Checkpoint {
    /// The text of the note.
    pub fn text(&self) -> String {
        format!(
            "{}\n{}\n{}\nprevious {}\nthrough {} {}\nat {}\n",
            self.origin,
            self.size,
            BASE64_STANDARD.encode(self.root),
            self.previous,
            self.through.0,
            self.through.1,
            self.at.to_rfc3339_opts(SecondsFormat::Micros, true),
        )
    }

    /// Parses a checkpoint; none if the text is not exactly what [`Checkpoint::text`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        let lines: Vec<&str> = text.lines().collect();
        let [origin, size, root, previous, through, at] = lines[..] else { return None };
        let (transaction, number) = through.strip_prefix("through ")?.split_once(' ')?;
        let read = Self {
            origin: origin.to_owned(),
            size: size.parse().ok()?,
            root: BASE64_STANDARD.decode(root).ok()?.try_into().ok()?,
            previous: previous.strip_prefix("previous ")?.parse().ok()?,
            through: (transaction.parse().ok()?, number.parse().ok()?),
            at: chrono::DateTime::parse_from_rfc3339(at.strip_prefix("at ")?).ok()?.to_utc(),
        };
        // Only one spelling is valid.
        (read.text() == text && read.size >= 0).then_some(read)
    }
}

/// Whether a text can be an origin, and a key name: no spaces, no plus, at most 255 characters.
pub fn is_origin(text: &str) -> bool {
    let fits = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    (1..=255).contains(&text.len()) && text.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "example.com/audit".into(),
            size: 12,
            root: [7; 32],
            previous: 10,
            through: (900, 14),
            at: "2026-03-01T08:00:00Z".parse().unwrap(),
        }
    }

    #[test]
    fn a_checkpoint_reads_back_as_itself() {
        let text = checkpoint().text();
        assert!(text.starts_with("example.com/audit\n12\nBwcHBwcH"), "{text}");
        assert!(text.ends_with("previous 10\nthrough 900 14\nat 2026-03-01T08:00:00.000000Z\n"), "{text}");
        assert_eq!(Checkpoint::parse(&text), Some(checkpoint()));
    }

    #[test]
    fn there_is_no_second_spelling() {
        let text = checkpoint().text();
        for wrong in [
            text.replace("\n12\n", "\n012\n"),
            text.replace("\n12\n", "\n-12\n"),
            text.replace("at 2026", "at  2026"),
            text.replace("00.000000Z", "00Z"),
            text.replace("previous 10\n", ""),
            format!("{text}more\n"),
            text.trim_end().to_owned(),
            String::new(),
        ] {
            assert_eq!(Checkpoint::parse(&wrong), None, "{wrong}");
        }
    }
}
