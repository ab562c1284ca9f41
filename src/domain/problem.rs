//! Problems: every code with which a request is refused or fails, what it means and how to resolve it.
//!
//! What must stay true: a code stands once, in [`table`]. Errors carry a [`Code`] and no text, so that none can be sent
//! that the table, the page that is printed from it and `/docs/problems` do not explain.
//! It does not know which operation answers with which code (`http::openapi` does).

/// Makes the codes of their table. In a row: what the code means; its name; the HTTP statuses with which it is sent,
/// the usual one first; whether a repeat can help; its title; how to resolve it.
macro_rules! problems {
    ($( $(#[doc = $meaning:literal])+ $code:ident = $name:literal [$($status:literal),+] $repeat:ident $title:literal:
        $resolution:literal; )+) => {
        /// The code of a problem. On the wire these are open strings: codes may be added.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $( $(#[doc = $meaning])+ $code, )+
        }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$code),+];

            /// The code as it is sent.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$code => $name, )+ }
            }

            /// The HTTP statuses with which it is sent, the usual one first.
            pub const fn statuses(self) -> &'static [u16] {
                match self { $( Self::$code => &[$($status),+], )+ }
            }

            /// Whether a repeat can help.
            pub const fn repeat(self) -> Repeat {
                match self { $( Self::$code => Repeat::$repeat, )+ }
            }

            /// The kind of problem in a few words.
            pub const fn title(self) -> &'static str {
                match self { $( Self::$code => $title, )+ }
            }

            /// What it means, in whole sentences.
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$code => concat!($($meaning),+).trim_ascii(), )+ }
            }

            /// How to resolve it, in whole sentences.
            pub const fn resolution(self) -> &'static str {
                match self { $( Self::$code => $resolution, )+ }
            }

            /// The code of that name.
            pub fn from_name(name: &str) -> Option<Self> {
                Self::ALL.into_iter().find(|code| code.as_str() == name)
            }
        }
    };
}

mod table;

pub use table::Code;

/// Whether the same request may succeed later, without any change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It gets the same answer until somebody changes something.
    No,
    /// The cause passes by itself.
    Yes,
    /// It depends on the cause: an answer with this code says which it is.
    Depends,
}

impl Repeat {
    /// The answer to "can a repeat help?", as a sentence.
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::No => "No. The same request gets the same answer until something is changed.",
            Self::Yes => "Yes, later. `retryable` is true if it is also safe to repeat the request.",
            Self::Depends => "Sometimes; `retryable` says so.",
        }
    }
}

/// What makes the repetition of a request safe, whatever became of the first one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
pub struct Repetition {
    /// The method is idempotent: GET, HEAD, OPTIONS, PUT or DELETE (RFC 9110, 9.2.2).
    pub idempotent_method: bool,
    /// The operation changes nothing, whatever its method.
    pub reads: bool,
    /// The operation honours an `Idempotency-Key`.
    pub takes_key: bool,
    /// The request has an `Idempotency-Key`.
    pub has_key: bool,
}

impl Repetition {
    /// Whether the very same request can be sent again and nothing happens twice.
    pub const fn is_safe(self) -> bool {
        self.idempotent_method || self.reads || (self.takes_key && self.has_key)
    }
}

/// Whether a program should repeat a request: it may help, and it does no harm.
pub const fn retryable(may_help: bool, repetition: Repetition) -> bool {
    may_help && repetition.is_safe()
}

#[cfg(test)]
mod tests;
