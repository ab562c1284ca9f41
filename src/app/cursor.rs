//! Opaque cursors: encrypted, and bound to the team, the list and its filters. A cursor of another list is refused
//! rather than misread.
//!
//! Earlier versions signed the position and left it in clear text; those cursors can still be read, so that nobody
//! loses their position. Such a version cannot read encrypted cursors: while one is running alongside, `clear_cursors`
//! makes this version write cursors in the old form.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;

use super::Error;
use super::base::Base;
use crate::crypto::fingerprint::SIGNATURE_BYTES;
use crate::domain::field::{FieldCode, FieldError};
use crate::domain::filter::{Page, Slice};
use crate::domain::identity::caller::Caller;

/// The prefix of an encrypted cursor; the dot is not a base64 character.
const SEALED: &str = "c.";

/// A list and its filters.
pub(super) struct CursorList<'a> {
    base: &'a Base,
    label: String,
}

impl<'a> CursorList<'a> {
    /// The list `name` of the caller's team, filtered by `filter`.
    pub(super) fn new(base: &'a Base, caller: &Caller, name: &str, filter: &impl std::fmt::Debug) -> Self {
        Self { base, label: format!("cursor:{name}:{}:{filter:?}", caller.team) }
    }

    /// The list, its team and its filters as one text.
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// The position where the page starts, as [`CursorList::slice`] wrote it into the cursor.
    pub(super) fn place(&self, page: &Page) -> Result<Option<String>, Error> {
        page.cursor.as_deref().map(|cursor| self.read(cursor).ok_or_else(unreadable)).transpose()
    }

    /// The page, with the cursor that continues it. `found` may contain one more item than was asked for.
    pub(super) fn slice<T, V: From<T>>(
        &self,
        mut items: Vec<T>,
        page: &Page,
        place: impl Fn(&T) -> String,
    ) -> Slice<V> {
        let limit = page.limit as usize;
        let more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| more).map(|last| self.write(&place(last)));
        Slice { items: items.into_iter().map(V::from).collect(), next_cursor }
    }

    pub(super) fn write(&self, place: &str) -> String {
        let (fingerprint, settings) = (self.base.fingerprint(), self.base.settings());
        if !settings.clear_cursors {
            let sealed = fingerprint.seal_place(&self.label, place.as_bytes());
            return format!("{SEALED}{}", BASE64_URL_SAFE_NO_PAD.encode(sealed));
        }
        let signature = fingerprint.sign(&self.label, place.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode([signature.as_slice(), place.as_bytes()].concat())
    }

    fn read(&self, cursor: &str) -> Option<String> {
        let fingerprint = self.base.fingerprint();
        if let Some(sealed) = cursor.strip_prefix(SEALED) {
            let sealed = BASE64_URL_SAFE_NO_PAD.decode(sealed).ok()?;
            return String::from_utf8(fingerprint.open_place(&self.label, &sealed)?).ok();
        }
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (signature, place) = bytes.split_at_checked(SIGNATURE_BYTES)?;
        let good = fingerprint.verify(&self.label, place, signature);
        good.then(|| String::from_utf8(place.to_vec()).ok()).flatten()
    }
}

/// The error for a cursor that was not issued for this list.
pub(super) fn unreadable() -> Error {
    Error::Invalid(vec![FieldError::new(
        "cursor",
        FieldCode::Invalid,
        "must be the next_cursor of the same list with the same filters",
    )])
}

/// How many items to read: one more than asked for, to know whether there are more.
pub(super) fn one_more(page: &Page) -> i64 {
    i64::from(page.limit.clamp(1, Page::MAX_LIMIT)) + 1
}

/// The position of a list that is ordered by id.
pub(super) fn id_place(list: &CursorList<'_>, page: &Page) -> Result<Option<uuid::Uuid>, Error> {
    list.place(page)?.map(|place| place.parse().map_err(|_| unreadable())).transpose()
}
