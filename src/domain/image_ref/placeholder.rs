//! Variables and placeholders that a shell, a pipeline or a template engine should have replaced.

/// The delimiters of placeholders in GitHub, shells, Helm, Make, Azure and prose.
const BRACKETS: [(&str, &str); 8] =
    [("${{", "}}"), ("${", "}"), ("{{", "}}"), ("$(", ")"), ("#{", "}"), ("<", ">"), ("%", "%"), ("{", "}")];
/// The most characters of a placeholder that a message repeats.
const SHOWN: usize = 64;

/// The first placeholder, reduced to its name: a default after it may be anything.
pub(super) fn find(text: &str) -> Option<String> {
    BRACKETS.iter().find_map(|(open, close)| between(text, open, close)).or_else(|| bare(text))
}

fn between(text: &str, open: &str, close: &str) -> Option<String> {
    let (_, rest) = text.split_once(open)?;
    let (inner, _) = rest.split_once(close)?;
    Some(format!("{open}{}{close}", name(inner.trim())))
}

/// `$NAME`, or the rest of a placeholder that was cut in two.
fn bare(text: &str) -> Option<String> {
    let at = text.find(['$', '{', '}'])?;
    let (sign, rest) = text[at..].split_at(1);
    Some(format!("{sign}{}", name(rest)))
}

fn name(text: &str) -> String {
    let of_name = |letter: &char| letter.is_ascii_alphanumeric() || "._- ".contains(*letter);
    text.chars().take_while(of_name).take(SHOWN).collect()
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn a_placeholder_is_found_and_named() {
        for (text, found) in [
            ("$IMAGE", "$IMAGE"),
            ("${{ github.repository }}:1", "${{github.repository}}"),
            ("nginx:${CI_COMMIT_SHA}", "${CI_COMMIT_SHA}"),
            ("nginx:${TAG:-hush}", "${TAG}"),
            ("r.example.com/{{ .Values.image }}:1", "{{.Values.image}}"),
            ("app:$(Build.BuildId)", "$(Build.BuildId)"),
            ("app:#{Build.BuildId}#", "#{Build.BuildId}"),
            ("<none>:<none>", "<none>"),
            ("r.example.com/%REPO%:1", "%REPO%"),
            ("app:{version}", "{version}"),
            ("app:${TAG", "$"),
        ] {
            assert_eq!(find(text).as_deref(), Some(found), "{text}");
        }
        for text in ["nginx", "nginx:1.27", "r.example.com:5000/a/b@sha256:0", "50%/a"] {
            assert_eq!(find(text), None, "{text}");
        }
    }
}
