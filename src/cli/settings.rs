//! `settings`: prints every setting, from the table that they are parsed with. It needs no settings itself.
//!
//! `docs/settings.md` is the output of `--format markdown`; a test compares them.

use std::fmt::Write as _;

use serde::Serialize;

use super::{CommandFailure, console};
use crate::config::{Section, Setting, table};

/// The line width for people.
const WIDTH: usize = 100;

const HEAD: &str = "\
Settings come from the environment over an optional TOML file (`--config FILE` or `ECG_CONFIG`): `limits.body_bytes` \
there is `ECG_LIMITS_BODY_BYTES` here. An empty variable counts as absent. A list is an array in the file, and stands \
between commas in the environment. A secret can also be read from a file of its own, which the same name with `_FILE` \
(`_file`) behind it names; an empty one counts as absent.";

/// The options of `settings`.
#[derive(Debug, clap::Args)]
pub(super) struct SettingsArgs {
    /// The output format: for people, for the documentation, or for programs.
    #[arg(long, value_enum, default_value_t = SettingsFormat::Text)]
    format: SettingsFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum SettingsFormat {
    Text,
    Markdown,
    Json,
}

pub(super) fn run(arguments: &SettingsArgs) -> Result<(), CommandFailure> {
    let text = match arguments.format {
        SettingsFormat::Text => sentences(table()),
        SettingsFormat::Markdown => markdown(table()),
        SettingsFormat::Json => json(table())?,
    };
    console::answer(&text)
}

/// One setting, for programs.
#[derive(Serialize)]
struct SettingRow<'a> {
    section: &'a str,
    key: &'a str,
    variable: String,
    /// For a secret: the variable that names a file with it.
    file_variable: Option<String>,
    kind: &'a str,
    unit: Option<&'a str>,
    minimum: Option<u64>,
    maximum: Option<u64>,
    /// Completes "must be", and for a list "each must be".
    allowed: &'a str,
    /// In the form in which it would be written.
    default: Option<&'a str>,
    /// What applies without it, if that is not a value.
    otherwise: Option<&'a str>,
    required: bool,
    secret: bool,
    purpose: &'a str,
}

fn row<'a>(section: &'a Section, setting: &'a Setting) -> SettingRow<'a> {
    SettingRow {
        section: section.title,
        key: setting.key,
        variable: setting.variable(),
        file_variable: setting.file_variable(),
        kind: setting.kind.as_str(),
        unit: setting.unit,
        minimum: setting.range.as_ref().map(|range| *range.start()),
        maximum: setting.range.as_ref().map(|range| *range.end()),
        allowed: &setting.allowed,
        default: setting.default.as_deref(),
        otherwise: setting.otherwise,
        required: setting.required.is_some(),
        secret: setting.secret,
        purpose: setting.purpose,
    }
}

fn json(table: &[Section]) -> anyhow::Result<String> {
    let of = |section| move |setting| row(section, setting);
    let rows: Vec<SettingRow> = table.iter().flat_map(|section| section.settings.iter().map(of(section))).collect();
    Ok(serde_json::to_string_pretty(&serde_json::json!({ "settings": rows }))? + "\n")
}

fn markdown(table: &[Section]) -> String {
    let mut text = format!(
        "# Settings\n\n{HEAD}\n\nThis page is what `eci-cache-gateway settings --format markdown` prints; a test \
         compares the two.\n"
    );
    for section in table {
        let _written = write!(text, "\n## {}\n\n| setting | default | allowed | |\n|---|---|---|---|\n", section.title);
        for setting in &section.settings {
            let cells =
                [format!("`{}`", setting.variable()), default(setting), allowed(setting), linked(setting.purpose)];
            let _written = writeln!(text, "| {} |", cells.map(|cell| cell.replace('|', r"\|")).join(" | "));
        }
    }
    text
}

/// What applies without it.
fn default(setting: &Setting) -> String {
    match (setting.default.as_deref(), setting.otherwise) {
        (Some(value), _) => format!("`{value}`"),
        (None, Some(told)) => told.to_owned(),
        (None, None) if setting.required.is_some() => "required".to_owned(),
        (None, None) => "none".to_owned(),
    }
}

/// What is allowed, with its unit, and whether it is a secret.
fn allowed(setting: &Setting) -> String {
    let each = if setting.kind == crate::config::SettingKind::List { "a list; each " } else { "" };
    let unit = setting.unit.map(|unit| format!(" ({unit})")).unwrap_or_default();
    let secret = if setting.secret { "; a secret" } else { "" };
    format!("{each}{}{unit}{secret}", setting.allowed)
}

/// Turns pages of the documentation into links, relative to `docs/`.
fn linked(text: &str) -> String {
    let mut linked = String::new();
    for (place, word) in text.split(' ').enumerate() {
        let page = word.trim_matches(['(', ')', ';', '.', ',']);
        let path = if page.starts_with("README.md") {
            Some(format!("../{page}"))
        } else {
            page.strip_prefix("docs/").map(str::to_owned)
        };
        let shown = page.split('#').next().unwrap_or(page);
        let word = path.map_or_else(|| word.to_owned(), |path| word.replace(page, &format!("[{shown}]({path})")));
        linked += if place == 0 { "" } else { " " };
        linked += &word;
    }
    linked
}

fn sentences(table: &[Section]) -> String {
    let mut text = wrapped("", &HEAD.replace('`', ""));
    for section in table {
        let _written = write!(text, "\n{}\n", section.title.to_uppercase());
        for setting in &section.settings {
            let _written = write!(text, "\n  {}\n", setting.variable());
            text += &wrapped("      ", &setting.purpose.replace('`', ""));
            text += &wrapped("      ", &format!("{}. {}", sentence(&allowed(setting)), without(setting)));
        }
    }
    text
}

/// What applies without it, as a sentence.
fn without(setting: &Setting) -> String {
    match default(setting).replace('`', "").as_str() {
        "required" => "Required.".to_owned(),
        "none" => "Not set by default.".to_owned(),
        told => format!("Default: {told}."),
    }
}

/// Capitalizes the first letter.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Wraps the text, with `margin` before each line.
fn wrapped(margin: &str, text: &str) -> String {
    let mut lines = vec![margin.to_owned()];
    for word in text.split_whitespace() {
        let line = lines.last().map_or(0, String::len);
        if line > margin.len() && line + 1 + word.len() > WIDTH {
            lines.push(margin.to_owned());
        }
        if let Some(line) = lines.last_mut() {
            if line.len() > margin.len() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests;
