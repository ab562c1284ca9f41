//! Finds the paths in a file's tokens, and resolves each to a path from the crate's root.

use super::tokens::Token;

/// A path with all branches of a group expanded: `["crate", "app", "Gateway"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) parts: Vec<String>,
    pub(super) line: usize,
    /// The inline modules around it, outermost first.
    pub(super) inside: Vec<String>,
    /// For a path in a `use`: the name that it introduces.
    pub(super) brings: Option<String>,
}

/// Every path with at least two parts, and what `use` imports as a whole.
pub(super) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    // For each open brace: the name of an inline module, or nothing.
    let mut open: Vec<Option<String>> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            _ if begins_a_path(tokens, at) => {
                let inside: Vec<_> = open.iter().flatten().cloned().collect();
                let mut tree = UseTree { tokens, at, found: Vec::new() };
                let is_use = at > 0 && tokens[at - 1].text == "use";
                tree.branch(&[]);
                // A word that only looks like the head of a path, such as the `use` of a captured lifetime.
                at = tree.at.max(at + 1);
                found.extend(tree.found.into_iter().map(|(parts, line, alias)| {
                    let named = alias.or_else(|| parts.iter().rev().find(|part| *part != "self").cloned());
                    Path { parts, line, inside: inside.clone(), brings: named.filter(|_| is_use) }
                }));
                continue;
            }
            "{" => open.push(opened(&tokens[..at])),
            "}" => drop(open.pop()),
            _ => {}
        }
        at += 1;
    }
    found
}

/// The name, if the tokens before a brace are `mod name`.
fn opened(before: &[Token]) -> Option<String> {
    match before {
        [.., keyword, name] if keyword.text == "mod" => Some(name.text.clone()),
        _ => None,
    }
}

fn begins_a_path(tokens: &[Token], at: usize) -> bool {
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
    let before = if at == 0 { "" } else { text(at - 1) };
    if before == "use" {
        return true;
    }
    // The rest of a path was read with its head; after `>` or a leading `::`, a new one begins.
    is_name(text(at)) && text(at + 1) == "::" && before != "."
}

fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first == '_' || first.is_alphabetic())
}

struct UseTree<'a> {
    tokens: &'a [Token],
    at: usize,
    /// The parts, the line, and the name after `as`.
    found: Vec<(Vec<String>, usize, Option<String>)>,
}

impl UseTree<'_> {
    fn text(&self) -> &str {
        self.tokens.get(self.at).map_or("", |token| token.text.as_str())
    }

    /// Reads one branch: names joined by `::`, and possibly a group of further branches.
    fn branch(&mut self, before: &[String]) {
        let mut parts = before.to_vec();
        let line = self.tokens.get(self.at).map_or(0, |token| token.line);
        if self.text() == "::" {
            self.at += 1;
        }
        loop {
            match self.text() {
                "{" => return self.group(&parts),
                text if is_name(text) || text == "*" => parts.push(text.to_owned()),
                _ => break,
            }
            self.at += 1;
            if self.text() != "::" {
                break;
            }
            self.at += 1;
        }
        if parts.len() > before.len() {
            let alias = (self.text() == "as").then(|| self.tokens.get(self.at + 1)).flatten();
            self.found.push((parts, line, alias.map(|alias| alias.text.clone())));
        }
    }

    fn group(&mut self, before: &[String]) {
        self.at += 1;
        while !["}", ""].contains(&self.text()) {
            let start = self.at;
            self.branch(before);
            while ![",", "}", ""].contains(&self.text()) {
                self.at += 1;
            }
            if self.text() == "," || self.at == start {
                self.at += 1;
            }
        }
        self.at += 1;
    }
}

/// What a path names, from the crate's root, if it is written in the module `home`.
///
/// `None` if it begins with a name: then it is a crate, or something local. An empty result, or one that begins with
/// `*`, is the root itself.
pub(super) fn from_root(path: &Path, home: &[String]) -> Option<Vec<String>> {
    let mut place: Vec<String> = home.iter().chain(&path.inside).cloned().collect();
    let mut rest = path.parts.as_slice();
    match rest.first().map(String::as_str)? {
        "crate" => {
            place.clear();
            rest = &rest[1..];
        }
        "self" | "super" => {}
        _ => return None,
    }
    while let [first, others @ ..] = rest {
        match first.as_str() {
            "self" => {}
            "super" => drop(place.pop()),
            _ => break,
        }
        rest = others;
    }
    place.extend_from_slice(rest);
    Some(place)
}
