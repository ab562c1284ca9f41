//! The part of a receiver's response that is shown and stored: a short, printable beginning. It is enough to recognize
//! one's own receiver, and too little to read another service.
//!
//! Called by `app` for tests and for the record of attempts.

/// The maximum length of the excerpt in bytes.
pub const MAX_SHOWN: usize = 256;
/// The replacement of unprintable characters.
const DOT: char = '.';

/// The beginning of a response as text.
pub fn excerpt(answer: &[u8]) -> String {
    let mut text = String::with_capacity(MAX_SHOWN);
    // A character that is cut in two must not look invalid.
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

/// Characters that change the direction of text or have no width: they make text look different from what it is.
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
