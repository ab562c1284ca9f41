//! Splits Rust source into tokens, without comments, strings, characters and test-only code.

/// A word or a punctuation mark (`::` is one), and its line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// The tokens of a source file, including tests.
pub(super) fn tokens(source: &str) -> Vec<Token> {
    let mut reader = Lexer { rest: source, line: 1, tokens: Vec::new() };
    while reader.step() {}
    reader.tokens
}

struct Lexer<'a> {
    rest: &'a str,
    line: usize,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    /// Reads one token or skips one item; false at the end.
    fn step(&mut self) -> bool {
        let Some(first) = self.rest.chars().next() else { return false };
        if self.rest.starts_with("//") {
            self.skip(self.rest.find('\n').unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("/*") {
            self.skip(comment(self.rest));
        } else if let Some(length) = literal(self.rest) {
            self.skip(length);
        } else if is_word(first) {
            self.keep(self.rest.find(|letter| !is_word(letter)).unwrap_or(self.rest.len()));
        } else if self.rest.starts_with("::") {
            self.keep(2);
        } else if first.is_whitespace() {
            self.skip(first.len_utf8());
        } else {
            self.keep(first.len_utf8());
        }
        true
    }

    fn keep(&mut self, length: usize) {
        self.tokens.push(Token { text: self.rest[..length].to_owned(), line: self.line });
        self.skip(length);
    }

    fn skip(&mut self, length: usize) {
        self.line += self.rest[..length].matches('\n').count();
        self.rest = &self.rest[length..];
    }
}

fn is_word(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

/// The length of the block comment at the beginning of `text`; they nest.
fn comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if text[at..].starts_with("*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    at
}

/// The length of the string, character or lifetime at the beginning of `text`, if there is one.
fn literal(text: &str) -> Option<usize> {
    let prefix = ["br", "cr", "b", "c", "r", ""].into_iter().find(|prefix| {
        let after = text.strip_prefix(prefix).unwrap_or_default();
        let raw = prefix.ends_with('r') && after.trim_start_matches('#').starts_with('"');
        raw || after.starts_with('"') || (["b", ""].contains(prefix) && after.starts_with('\''))
    })?;
    let after = &text[prefix.len()..];
    let length = if prefix.ends_with('r') {
        raw(after)
    } else if after.starts_with('"') {
        quoted(after, '"')
    } else {
        character(after)
    };
    Some(prefix.len() + length)
}

fn raw(text: &str) -> usize {
    let hashes = text.len() - text.trim_start_matches('#').len();
    let end = format!("\"{}", "#".repeat(hashes));
    text[hashes + 1..].find(&end).map_or(text.len(), |at| hashes + 1 + at + end.len())
}

fn quoted(text: &str, quote: char) -> usize {
    let mut letters = text.char_indices().skip(1);
    while let Some((at, letter)) = letters.next() {
        if letter == '\\' {
            letters.next();
        } else if letter == quote {
            return at + 1;
        }
    }
    text.len()
}

/// A character in quotes, or a lifetime, of which only the quote is skipped.
fn character(text: &str) -> usize {
    let mut letters = text.chars().skip(1);
    let (first, second) = (letters.next(), letters.next());
    if first == Some('\\') || second == Some('\'') { quoted(text, '\'') } else { 1 }
}

/// The tokens that a build without tests contains, and the names of modules in other files that it does not.
pub(super) fn without_tests(tokens: &[Token]) -> (Vec<Token>, Vec<String>) {
    let (mut kept, mut modules) = (Vec::new(), Vec::new());
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        if begins(&tokens[at..], &["#", "!", "[", "cfg", "(", "test", ")", "]"]) {
            break;
        }
        if begins(&tokens[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
            let length = item(&tokens[at..]);
            modules.extend(other_file(&tokens[at..at + length]));
            at += length;
        } else {
            kept.push(token.clone());
            at += 1;
        }
    }
    (kept, modules)
}

/// Whether the tokens begin with these words.
pub(super) fn begins(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.text == *word)
}

/// The number of tokens of an item with its attributes: it ends with `;`, or with the brace that closes its body.
fn item(tokens: &[Token]) -> usize {
    let mut open = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => open += 1,
            ")" | "]" | "}" => open = open.saturating_sub(1),
            _ => {}
        }
        let ends = token.text == "}" || token.text == ";";
        if open == 0 && ends {
            return at + 1;
        }
    }
    tokens.len()
}

/// The `name` in `mod name;`.
fn other_file(item: &[Token]) -> Option<String> {
    match item {
        [.., keyword, name, end] if keyword.text == "mod" && end.text == ";" => Some(name.text.clone()),
        _ => None,
    }
}
