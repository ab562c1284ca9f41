//! Pages of plain HTML, in which a text can only stand escaped.
//!
//! What must stay true: no request leaves for elsewhere, and none for scripts, images or style sheets; the one style
//! stands in the page, and its hash in the policy.

use std::sync::LazyLock;

use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
    X_FRAME_OPTIONS,
};
use axum::response::Response;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

const STYLE: &str = "body{font:1rem/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;\
color:#1a1a1a;background:#fff}code{font-family:ui-monospace,monospace;background:#f2f2f2;padding:0 .2em}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .6rem .3rem 0;\
border-bottom:1px solid #ddd}dt{font-weight:bold;margin-top:1rem}dd{margin:0}";

/// Nothing but the style above.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = BASE64_STANDARD.encode(Sha256::digest(STYLE));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    );
    HeaderValue::from_str(&policy).ok()
});

/// A page that is being written. Names of elements are ours; whatever else is put into it is escaped.
pub(super) struct Page(String);

impl Page {
    /// A page with this title, which is its heading, too.
    pub(super) fn new(title: &str) -> Self {
        let mut page = Self(String::from("<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"));
        page.0 += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">";
        page.element("title", title);
        page.0 += "<style>";
        page.0 += STYLE;
        page.0 += "</style></head>\n<body><main>\n";
        page.element("h1", title);
        page
    }

    /// An element with a text, in which what stands between backticks is code.
    pub(super) fn element(&mut self, name: &'static str, text: &str) {
        self.within(name, |page| page.prose(text));
    }

    /// An element with whatever is put into it.
    pub(super) fn within(&mut self, name: &'static str, inner: impl FnOnce(&mut Self)) {
        for part in ["<", name, ">"] {
            self.0 += part;
        }
        inner(self);
        for part in ["</", name, ">"] {
            self.0 += part;
        }
    }

    /// A link, shown as code.
    pub(super) fn link(&mut self, to: &str, text: &str) {
        self.0 += "<a href=\"";
        self.escaped(to);
        self.0 += "\">";
        self.element("code", text);
        self.0 += "</a>";
    }

    fn prose(&mut self, text: &str) {
        for (place, part) in text.split('`').enumerate() {
            if place % 2 == 0 {
                self.escaped(part);
            } else {
                self.within("code", |page| page.escaped(part));
            }
        }
    }

    fn escaped(&mut self, text: &str) {
        for letter in text.chars() {
            match letter {
                '&' => self.0 += "&amp;",
                '<' => self.0 += "&lt;",
                '>' => self.0 += "&gt;",
                '"' => self.0 += "&quot;",
                '\'' => self.0 += "&#39;",
                other => self.0.push(other),
            }
        }
    }

    /// Closes the page and makes it a response, with its headers.
    pub(super) fn finish(mut self) -> Response {
        self.0 += "\n</main></body>\n</html>\n";
        let mut answer = Response::new(self.0.into());
        let headers = answer.headers_mut();
        if let Some(policy) = POLICY.clone() {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (CACHE_CONTROL, "no-cache"),
            (VARY, "Accept"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_in_a_page_as_it_is_and_nothing_else() {
        let mut page = Page(String::new());
        page.element("p", "a <b> & `\"c\"` 'd'");
        page.link("x\"><script>", "<i>");
        let expected = "<p>a &lt;b&gt; &amp; <code>&quot;c&quot;</code> &#39;d&#39;</p>\
                        <a href=\"x&quot;&gt;&lt;script&gt;\"><code>&lt;i&gt;</code></a>";
        assert_eq!(page.0, expected);
    }
}
