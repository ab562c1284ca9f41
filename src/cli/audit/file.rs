//! The whole audit as lines of JSON: written from one snapshot of the database, verified without a database.
//!
//! The first line is the header. Then, in the order of the tree, come `leaf` lines (index, entry, hash in base64, and
//! the columns of all rows with that id) and `checkpoint` lines (size, note), each checkpoint after the last leaf that
//! it covers; at the end `unsealed` lines. The tree's inner hashes are left out: they follow from the leaves.

use std::io::{BufRead as _, BufReader, Write};
use std::path::Path;

use anyhow::Context as _;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use crate::app::audit::verification::{Verification, VerificationReport, VerificationSubject};
use crate::domain::audit::record::AuditRecord;
use crate::domain::ids::AuditId;
use crate::store::{AuditPage, CheckedRow, FoundLeaf, Store};

/// The format given in the header.
const FORMAT: &str = "eci-cache-gateway audit 1";
/// The number of leaves in a part.
const PART: usize = 4_000;
/// The maximum number of exported rows without a leaf.
const UNSEALED: i64 = 100_000;

#[derive(Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "snake_case")]
enum FileLine {
    Head { format: String, dropped: String },
    Leaf { leaf: i64, entry: AuditId, hash: String, rows: Vec<FileRow> },
    Checkpoint { size: i64, note: String },
    Unsealed { row: Box<FileRow> },
}

/// A row; without its columns if it contains values that no gateway writes.
#[derive(Serialize, Deserialize)]
struct FileRow {
    id: AuditId,
    position: (i64, i64),
    columns: Option<AuditRecord>,
}

impl From<CheckedRow> for FileRow {
    fn from(row: CheckedRow) -> Self {
        Self { id: row.id.into(), position: row.position, columns: row.record }
    }
}

impl From<FileRow> for CheckedRow {
    fn from(row: FileRow) -> Self {
        Self { id: row.id.uuid(), position: row.position, record: row.columns }
    }
}

/// Writes the whole audit.
pub(super) async fn write(store: &Store, to: &mut impl Write) -> anyhow::Result<()> {
    let mut view = store.audit_view().await?;
    let dropped = view.dropped().await?.unwrap_or_default();
    line(to, &FileLine::Head { format: FORMAT.to_owned(), dropped })?;
    let (mut from, mut more) = (0, true);
    while more {
        let page = view.page(from, 4_000).await?;
        more = !page.leaves.is_empty();
        from = page.leaves.last().map_or(from, |last| last.leaf + 1);
        let mut checkpoints = page.checkpoints.into_iter().peekable();
        for leaf in page.leaves {
            let end = leaf.leaf + 1;
            let rows = leaf.rows.into_iter().map(Into::into).collect();
            let hash = BASE64_STANDARD.encode(leaf.hash);
            line(to, &FileLine::Leaf { leaf: leaf.leaf, entry: leaf.entry.into(), hash, rows })?;
            while let Some((size, note)) = checkpoints.next_if(|(size, _)| *size <= end) {
                line(to, &FileLine::Checkpoint { size, note })?;
            }
        }
        for (size, note) in checkpoints {
            line(to, &FileLine::Checkpoint { size, note })?;
        }
    }
    for row in view.unsealed(UNSEALED).await? {
        line(to, &FileLine::Unsealed { row: Box::new(row.into()) })?;
    }
    Ok(to.flush()?)
}

fn line(to: &mut impl Write, line: &FileLine) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *to, line)?;
    Ok(to.write_all(b"\n")?)
}

/// Verifies an exported file.
pub(super) fn verify(path: &Path, subject: &VerificationSubject) -> anyhow::Result<VerificationReport> {
    let file = std::fs::File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut lines = BufReader::new(file).lines().enumerate().map(|(at, line)| -> anyhow::Result<FileLine> {
        serde_json::from_str(&line?)
            .with_context(|| format!("line {} of {} is not part of an audit export", at + 1, path.display()))
    });
    let dropped = match lines.next().transpose()? {
        Some(FileLine::Head { format, dropped }) if format == FORMAT => dropped.parse().unwrap_or_default(),
        _ => anyhow::bail!("{} does not begin like an audit export", path.display()),
    };
    let mut verification = Verification::new(subject.keys.clone(), subject.saved.clone(), dropped);
    let (mut page, mut unsealed) = (AuditPage::default(), Vec::new());
    for line in lines {
        match line? {
            FileLine::Head { .. } => anyhow::bail!("{} has two headers", path.display()),
            FileLine::Leaf { leaf, entry, hash, rows } => {
                // A part may end only here: checkpoints follow their last leaf.
                if page.leaves.len() >= PART && !verification.feed(std::mem::take(&mut page)) {
                    break;
                }
                let hash = BASE64_STANDARD.decode(hash)?;
                let rows = rows.into_iter().map(Into::into).collect();
                page.leaves.push(FoundLeaf { leaf, entry: entry.uuid(), hash, rows });
            }
            FileLine::Checkpoint { size, note } => page.checkpoints.push((size, note)),
            FileLine::Unsealed { row } => unsealed.push((*row).into()),
        }
    }
    verification.feed(page);
    verification.end();
    verification.unsealed(&unsealed, &subject.waited);
    Ok(verification.report())
}
