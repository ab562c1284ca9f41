//! Parses just enough of Postgres's responses to lose the response to a commit, and only that.
//!
//! Every message is a type byte and a length. `CommandComplete` names the statement; the `ReadyForQuery` after it says
//! that its transaction has ended: only then is it certain that the commit has happened. So everything from the first
//! message on is withheld, and with the second one the connection is reset.

/// How a transaction was committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Commit {
    Transaction,
    /// By the end of a single statement that wrote something.
    Statement,
}

/// The responses of one connection so far.
#[derive(Debug, Default)]
pub(crate) struct PostgresAnswers {
    /// The current message: type, length, and as much of the body as is needed.
    header: Vec<u8>,
    body: Vec<u8>,
    /// How many bytes of its body are still missing.
    rest: usize,
    in_transaction: bool,
    withheld: bool,
}

/// How much of a body is kept: a command tag is short.
const KEPT: usize = 64;

impl PostgresAnswers {
    /// Reads a chunk. `lose` is called at each commit and returns whether its response is to be lost. Returns `None` if
    /// the chunk may pass; otherwise how many bytes of it may, and whether to reset the connection now.
    pub(crate) fn read(&mut self, piece: &[u8], lose: impl Fn(Commit) -> bool) -> Option<(usize, bool)> {
        let mut from = self.withheld.then_some(0);
        let mut begun = 0;
        for (at, byte) in piece.iter().enumerate() {
            if self.header.is_empty() {
                begun = at;
            }
            let Some(whole) = self.take(*byte) else { continue };
            match whole {
                Whole::Command(commit) if !self.withheld && lose(commit) => {
                    self.withheld = true;
                    from = Some(begun);
                }
                Whole::Ready if self.withheld => return Some((from.unwrap_or(0), true)),
                _ => {}
            }
        }
        from.map(|from| (from, false))
    }

    /// Processes one byte; returns a relevant message once it is complete.
    fn take(&mut self, byte: u8) -> Option<Whole> {
        if self.header.len() < 5 {
            self.header.push(byte);
            if let [_, a, b, c, d] = self.header[..] {
                self.rest = (u32::from_be_bytes([a, b, c, d]) as usize).saturating_sub(4);
            }
        } else {
            self.rest -= 1;
            if self.body.len() < KEPT {
                self.body.push(byte);
            }
        }
        if self.header.len() < 5 || self.rest > 0 {
            return None;
        }
        let kind = self.header[0];
        self.header.clear();
        let body = std::mem::take(&mut self.body);
        self.whole(kind, &body)
    }

    fn whole(&mut self, kind: u8, body: &[u8]) -> Option<Whole> {
        match kind {
            b'C' => commit_of(body, self.in_transaction).map(Whole::Command),
            b'Z' => {
                self.in_transaction = body.first() != Some(&b'I');
                Some(Whole::Ready)
            }
            _ => None,
        }
    }
}

enum Whole {
    Command(Commit),
    Ready,
}

/// The meaning of a command tag (`COMMIT`, `UPDATE 3`).
fn commit_of(body: &[u8], in_transaction: bool) -> Option<Commit> {
    let tag = std::str::from_utf8(body).ok()?.trim_end_matches('\0');
    if tag == "COMMIT" {
        return Some(Commit::Transaction);
    }
    let wrote = ["INSERT ", "UPDATE ", "DELETE "].iter().any(|word| tag.starts_with(word)) && !tag.ends_with(" 0");
    (wrote && !in_transaction).then_some(Commit::Statement)
}
