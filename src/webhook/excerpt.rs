//! What is shown and kept of a receiver's answer: a short, printable beginning. Enough to know one's own receiver by,
//! too little to read somebody else's service with.
//!
//! Who calls it: `app`, for tests and for the record of attempts.

/// How much, in bytes.
pub const MAX_SHOWN: usize = 256;
/// What stands for what cannot be printed.
const DOT: char = '.';

/// The beginning of an answer as text.
pub fn excerpt(answer: &[u8]) -> String {
    let mut text = String::with_capacity(MAX_SHOWN);
    // A letter that the cut goes through is not shown as broken.
    let front = &answer[..answer.len().min(MAX_SHOWN * 4)];
    for letter in String::from_utf8_lossy(front).chars().map(printed) {
        if text.len() + letter.len_utf8() > MAX_SHOWN {
            break;
        }
        text.push(letter);
    }
    text
}

fn printed(letter: char) -> char {
    match letter {
        '\t' | '\n' | '\r' => ' ',
        _ if letter.is_control() || is_hidden(letter) => DOT,
        _ => letter,
    }
}

/// Marks that turn the direction of text, or have no width: what is behind them reads otherwise than it is.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_short_and_printable() {
        assert_eq!(excerpt(b"ok\r\n\0\x1b[31m"), "ok  ..[31m");
        assert_eq!(excerpt("\u{202e}evil\u{200b}".as_bytes()), ".evil.");
        assert_eq!(excerpt(&[0xff, b'a']), "\u{fffd}a");
        let long = "é".repeat(10_000);
        assert_eq!(excerpt(long.as_bytes()), "é".repeat(MAX_SHOWN / 2));
        assert_eq!(excerpt(&[b'x'; 300]).len(), MAX_SHOWN);
        assert_eq!(excerpt(b""), "");
    }
}
