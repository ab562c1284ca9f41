//! Alterations of the audit tables by their owner, who can bypass triggers and constraints.
#![cfg(test)]

use eci_cache_gateway::crypto::merkle::{Edge, leaf_hash};
use eci_cache_gateway::domain::audit::record::AuditRecord;
use eci_cache_gateway::domain::ids::AuditId;
use eci_cache_gateway::store::Store;
use sqlx::{AssertSqlSafe, Connection as _, PgPool};
use uuid::Uuid;

/// Executes the statement with all triggers disabled.
pub(crate) async fn freely(pool: &PgPool, sql: &str) {
    let mut connection = pool.acquire().await.unwrap();
    let mut transaction = connection.begin().await.unwrap();
    let all = format!("SET LOCAL session_replication_role = replica; {sql}");
    sqlx::raw_sql(AssertSqlSafe(all)).execute(&mut *transaction).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    transaction.commit().await.unwrap();
}

pub(crate) const TABLES: [&str; 4] = ["audit_entries", "audit_leaves", "audit_nodes", "audit_checkpoints"];
/// The columns of an entry, each with a different value.
const COLUMNS: [(&str, &str); 21] = [
    ("id", "gen_random_uuid()"),
    ("seq", "seq + 1000000"),
    ("at", "at + interval '1 microsecond'"),
    ("team", "coalesce(team, '') || 'x'"),
    ("subject", "subject || 'x'"),
    ("credential", "CASE WHEN credential IS NULL THEN '' END"),
    ("door", "'worker' || door"),
    ("request_id", "reverse(request_id) || 'x'"),
    ("address", "CASE WHEN address IS NULL THEN '10.0.0.1' ELSE '127.0.0.2' END"),
    ("action", "'delete_image_cache_' || action"),
    ("resource", "CASE WHEN resource IS NULL THEN 'ic_1' END"),
    ("outcome", "CASE WHEN outcome = 'succeeded' THEN 'refused' ELSE 'succeeded' END"),
    ("http_status", "coalesce(http_status, 0) + 1"),
    ("code", "CASE WHEN code IS NULL THEN 'x' END"),
    ("duration_ms", "coalesce(duration_ms, 0) + 1"),
    ("cloud_ms", "coalesce(cloud_ms, 0) + 1"),
    ("operation", "gen_random_uuid()"),
    ("provider_request_id", "coalesce(provider_request_id, '') || 'x'"),
    ("parameters", "parameters || '{\"more\": \"x\"}'"),
    ("stamp", "sha256(stamp)"),
    ("txid", "txid + 1"),
];

/// What can be altered.
pub(crate) struct ForgeryTargets {
    pub(crate) size: i64,
    pub(crate) entries: Vec<Uuid>,
    pub(crate) nodes: Vec<(i64, i16)>,
    pub(crate) sizes: Vec<i64>,
    pub(crate) records: Vec<AuditRecord>,
}

impl ForgeryTargets {
    pub(crate) async fn of(store: &Store) -> Self {
        let page = store.audit_view().await.unwrap().page(0, 100_000).await.unwrap();
        Self {
            size: i64::try_from(page.leaves.len()).unwrap(),
            entries: page.leaves.iter().map(|leaf| leaf.entry).collect(),
            nodes: page.nodes.unwrap().into_keys().collect(),
            sizes: page.checkpoints.iter().map(|(size, _)| *size).collect(),
            records: page.leaves.into_iter().map(|leaf| leaf.rows[0].record.clone().unwrap()).collect(),
        }
    }
}

/// An alteration: the statement, and what a finding has to name.
#[derive(Debug)]
pub(crate) struct Alteration {
    pub(crate) sql: String,
    /// One of these must be named: an entry, `leaf N`, or `size N`.
    pub(crate) names: Vec<String>,
    /// Whether a saved checkpoint is needed to detect it.
    pub(crate) saved: bool,
}

/// A small generator, so that a seed reproduces the whole run.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number in `0..below`.
    pub(crate) fn roll(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % below
    }
}

fn altered(sql: String, names: Vec<String>) -> Alteration {
    Alteration { sql, names, saved: false }
}

fn name(id: Uuid) -> String {
    AuditId::from(id).to_string()
}

/// A random alteration.
pub(crate) fn alteration(ground: &ForgeryTargets, dice: &mut Dice) -> Alteration {
    let at = dice.roll(ground.entries.len());
    let (leaf, entry) = (i64::try_from(at).unwrap(), ground.entries[at]);
    let other = (at + 1 + dice.roll(ground.entries.len() - 1)) % ground.entries.len();
    let (node, level) = ground.nodes[dice.roll(ground.nodes.len())];
    let size = ground.sizes[dice.roll(ground.sizes.len())];
    let leaf_name = || vec![format!("leaf {leaf}")];
    let node_name = || vec![format!("leaf {node}")];
    let size_name = |size: i64| vec![format!("size {size}")];
    let bit = dice.roll(256);
    match dice.roll(20) {
        // Columns are by far the most numerous.
        0..=5 => {
            let (column, value) = COLUMNS[dice.roll(COLUMNS.len())];
            altered(format!("UPDATE audit_entries SET {column} = {value} WHERE id = '{entry}'"), vec![name(entry)])
        }
        6 => altered(format!("DELETE FROM audit_entries WHERE id = '{entry}'"), vec![name(entry)]),
        7 => added(entry, dice),
        8 => swapped_rows(entry, ground.entries[other]),
        9 => altered(
            format!(
                "UPDATE audit_leaves SET hash = set_bit(hash, {bit}, 1 - get_bit(hash, {bit})) WHERE leaf = {leaf}"
            ),
            leaf_name(),
        ),
        10 => altered(format!("DELETE FROM audit_leaves WHERE leaf = {leaf}"), leaf_name()),
        11 => {
            altered(format!("UPDATE audit_leaves SET entry = gen_random_uuid() WHERE leaf = {leaf}"), vec![name(entry)])
        }
        12 => swapped_leaves(leaf, i64::try_from(other).unwrap()),
        13 => altered(
            format!(
                "UPDATE audit_nodes SET hash = set_bit(hash, {bit}, 1 - get_bit(hash, {bit})) WHERE leaf = {node} AND level = {level}"
            ),
            node_name(),
        ),
        14 => altered(format!("DELETE FROM audit_nodes WHERE leaf = {node} AND level = {level}"), node_name()),
        15 => altered(format!("INSERT INTO audit_nodes VALUES ({leaf}, 40, sha256('x'))"), leaf_name()),
        16 => {
            let how = [
                "reverse(note)",
                "replace(note, 'previous', 'Previous')",
                "note || 'x'",
                "overlay(note placing '9' from 19)",
            ];
            altered(
                format!("UPDATE audit_checkpoints SET note = {} WHERE size = {size}", how[dice.roll(how.len())]),
                size_name(size),
            )
        }
        17 => moved_checkpoint(size, ground.size, dice),
        18 => rewritten(ground, at),
        _ => truncated(ground, dice),
    }
}

/// An additional row: with a made-up stamp, with that of another row, or as a duplicate with the same id.
fn added(entry: Uuid, dice: &mut Dice) -> Alteration {
    let fresh = Uuid::from_u128(u128::from(dice.0) << 64 | 7);
    let columns = "team, subject, credential, door, request_id, address, action, resource, outcome, http_status, code, duration_ms,
        operation, provider_request_id, parameters";
    let (id, at, stamp) = [
        (fresh, "at", "stamp"),
        (fresh, "at + interval '1 second'", "sha256('x')"),
        (entry, "at + interval '1 second'", "stamp"),
    ][dice.roll(3)];
    let txid = ["txid", "pg_current_xact_id()::text::bigint", "0", "1000000000000"][dice.roll(4)];
    let sql = format!(
        "INSERT INTO audit_entries (id, at, stamp, txid, {columns}) SELECT '{id}', {at}, {stamp}, {txid}, {columns}
         FROM audit_entries WHERE id = '{entry}'"
    );
    altered(sql, vec![name(id)])
}

/// Two rows exchange their positions.
fn swapped_rows(one: Uuid, other: Uuid) -> Alteration {
    let sql = format!("UPDATE audit_entries SET id = CASE id WHEN '{one}' THEN '{other}'::uuid ELSE '{one}'::uuid END, at = at + interval '0'
        WHERE id IN ('{one}', '{other}')");
    // Both may have the same instant; then the index temporarily contains a duplicate id.
    let sql = format!("DROP INDEX audit_entries_id; {sql}; CREATE INDEX audit_entries_id ON audit_entries (id, at)");
    altered(sql, vec![name(one), name(other)])
}

fn swapped_leaves(one: i64, other: i64) -> Alteration {
    let sql = format!(
        "CREATE TEMP TABLE t ON COMMIT DROP AS SELECT * FROM audit_leaves WHERE leaf IN ({one}, {other});
         DELETE FROM audit_leaves WHERE leaf IN ({one}, {other});
         INSERT INTO audit_leaves SELECT {one} + {other} - leaf, entry, hash FROM t"
    );
    // The pair that contains one of them; the last leaf may not be in a pair.
    altered(sql, vec![format!("leaf {}", one | 1), format!("leaf {}", other | 1)])
}

fn moved_checkpoint(size: i64, last: i64, dice: &mut Dice) -> Alteration {
    let sql = match dice.roll(3) {
        0 => {
            // What the newest one covered is no longer covered.
            let name = if size == last { format!("leaf {}", last - 1) } else { format!("size {size}") };
            return altered(format!("DELETE FROM audit_checkpoints WHERE size = {size}"), vec![name]);
        }
        1 => format!("UPDATE audit_checkpoints SET size = {last} + {size} WHERE size = {size}"),
        _ => format!(
            "INSERT INTO audit_checkpoints SELECT {last} + {size}, note FROM audit_checkpoints WHERE size = {size}"
        ),
    };
    altered(sql, vec![format!("size {}", last + size)])
}

/// An altered row, with everything that depends on it recomputed, except for the signature.
fn rewritten(ground: &ForgeryTargets, at: usize) -> Alteration {
    let mut edge = Edge::default();
    let mut sql = vec![format!("UPDATE audit_entries SET subject = 'mallory' WHERE id = '{}'", ground.entries[at])];
    for (leaf, record) in ground.records.iter().enumerate() {
        let mut record = record.clone();
        if leaf == at {
            record.body.subject = "mallory".into();
        }
        let hash = leaf_hash(&record.leaf_data());
        if leaf == at {
            sql.push(format!("UPDATE audit_leaves SET hash = '\\x{}' WHERE leaf = {leaf}", hex(&hash)));
        }
        for (subtree, hash) in edge.push(hash) {
            let place = format!("leaf = {} AND level = {}", subtree.leaf, subtree.level);
            sql.push(format!("UPDATE audit_nodes SET hash = '\\x{}' WHERE {place}", hex(&hash)));
        }
    }
    altered(sql.join("; "), vec![name(ground.entries[at])])
}

/// The newest part deleted from all tables, as if it had never existed.
fn truncated(ground: &ForgeryTargets, dice: &mut Dice) -> Alteration {
    let keep = ground.sizes[dice.roll(ground.sizes.len() - 1)];
    let gone: Vec<String> =
        ground.entries[usize::try_from(keep).unwrap()..].iter().map(|id| format!("'{id}'")).collect();
    let sql = format!(
        "DELETE FROM audit_entries WHERE id IN ({}); DELETE FROM audit_leaves WHERE leaf >= {keep};
         DELETE FROM audit_nodes WHERE leaf >= {keep}; DELETE FROM audit_checkpoints WHERE size > {keep}",
        gone.join(", ")
    );
    Alteration { sql, names: vec![format!("leaves {keep} to {}", ground.size - 1)], saved: true }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
