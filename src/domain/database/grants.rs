//! The privileges that the gateway's runtime role needs in the database, and no more: the only place that lists them.
//!
//! `migrate` sets the role to exactly these, `doctor database` compares them with what the role has, and a test
//! compares them with what the migrations grant. A migration with a new table, or with a function that the gateway
//! calls, adds a line here.

/// The kind of object that a privilege applies to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ObjectKind {
    /// The database itself.
    Database,
    /// The schema `public`.
    Schema,
    /// A table, partitioned or not.
    Table,
    /// A sequence that is used by name.
    Sequence,
    /// A function, with its argument types.
    Function,
}

/// The privileges needed on one object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The name of the object; empty for the database.
    pub name: &'static str,
    /// The privileges, as `GRANT` names them.
    pub privileges: &'static [&'static str],
}

/// The privileges that a role has on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldPrivileges {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The name of the object.
    pub name: String,
    /// The privileges, as `GRANT` names them, however the role got them.
    pub privileges: Vec<String>,
}

/// A difference between what a role has and what it needs on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The kind of the object.
    pub kind: ObjectKind,
    /// The name of the object.
    pub name: String,
    /// The required privileges that the role lacks.
    pub missing: Vec<String>,
    /// The privileges that it has but does not need.
    pub more: Vec<String>,
}

const READ: &[&str] = &["SELECT"];
/// For tables whose rows are never changed.
const ADD: &[&str] = &["SELECT", "INSERT"];
const KEEP: &[&str] = &["SELECT", "INSERT", "UPDATE"];
const ALL: &[&str] = &["SELECT", "INSERT", "UPDATE", "DELETE"];

const fn on(name: &'static str, privileges: &'static [&'static str]) -> Grant {
    Grant { kind: ObjectKind::Table, name, privileges }
}

const fn may_call(name: &'static str) -> Grant {
    Grant { kind: ObjectKind::Function, name, privileges: &["EXECUTE"] }
}

/// All privileges that the runtime role needs.
pub const GRANTS: &[Grant] = &[
    Grant { kind: ObjectKind::Database, name: "", privileges: &["CONNECT"] },
    Grant { kind: ObjectKind::Schema, name: "public", privileges: &["USAGE"] },
    on("_sqlx_migrations", READ),
    on("access_key_nonces", &["SELECT", "INSERT", "DELETE"]),
    on("access_keys", ALL),
    on("account_ids", ALL),
    on("api_keys", ALL),
    on("audit_checkpoints", ADD),
    on("audit_entries", ADD),
    on("audit_leaves", ADD),
    on("audit_nodes", ADD),
    on("build_history", KEEP),
    on("cloud_accounts", ALL),
    on("cloud_budgets", KEEP),
    on("default_policy", KEEP),
    on("delivery_attempts", ADD),
    on("event_keys", ALL),
    on("events", ALL),
    on("events_removed", KEEP),
    on("feed_lives", READ),
    on("found_caches", KEEP),
    on("idempotency_keys", ALL),
    on("idempotent_responses", ALL),
    on("image_caches", ALL),
    on("issuers", ALL),
    on("mass_vanishings", ALL),
    on("operation_attempts", ALL),
    on("operations", ALL),
    on("owed_answers", ALL),
    on("reconcile_groups", ALL),
    on("region_profiles", ALL),
    on("retention_progress", &["SELECT", "UPDATE"]),
    on("revocations", &["SELECT", "INSERT", "DELETE"]),
    on("teams", KEEP),
    on("tracker_groups", ALL),
    on("transitions", ALL),
    on("webhook_attempts", ALL),
    on("webhook_deliveries", ALL),
    on("webhook_endpoint_state", ALL),
    on("webhook_endpoints", ALL),
    on("webhook_holders", ALL),
    on("webhook_passed_over", ALL),
    on("webhook_url_storage", &["SELECT", "UPDATE"]),
    on("webhook_workers", ALL),
    on("worker_heartbeats", KEEP),
    Grant { kind: ObjectKind::Sequence, name: "audit_entries_number", privileges: &["USAGE"] },
    may_call("audit_make_months()"),
    may_call("delivery_attempts_upkeep(interval)"),
    // The signature that an earlier version calls: that version may run beside this one.
    may_call("delivery_attempts_upkeep(timestamp with time zone,timestamp with time zone)"),
    may_call("feed_begin_life()"),
    may_call("feed_life(bigint)"),
];

impl Grant {
    /// The SQL statement that grants it; `database` and `role` are names of letters, digits and underscores.
    pub fn statement(&self, database: &str, role: &str) -> String {
        let on = target(self.kind, if self.kind == ObjectKind::Database { database } else { self.name });
        format!("GRANT {} ON {on} TO {role}", self.privileges.join(", "))
    }
}

/// The name of an object in `GRANT` and `REVOKE`.
pub fn target(kind: ObjectKind, name: &str) -> String {
    match kind {
        ObjectKind::Database => format!("DATABASE {name}"),
        ObjectKind::Schema => format!("SCHEMA {name}"),
        ObjectKind::Table => format!("TABLE public.{name}"),
        ObjectKind::Sequence => format!("SEQUENCE public.{name}"),
        ObjectKind::Function => format!("FUNCTION public.{name}"),
    }
}

/// The privileges needed on an object; none if there are none, or the object belongs to another version.
pub fn needed(kind: ObjectKind, name: &str) -> Option<&'static Grant> {
    GRANTS.iter().find(|grant| grant.kind == kind && (kind == ObjectKind::Database || grant.name == name))
}

/// Every difference between what a role has and what it needs, by object.
pub fn compare(held: &[HeldPrivileges]) -> Vec<Difference> {
    let beside = held.iter().map(|held| difference(held, needed(held.kind, &held.name)));
    let is_there = |grant: &&Grant| held.iter().any(|held| needed(held.kind, &held.name) == Some(*grant));
    let absent = GRANTS.iter().filter(|grant| !is_there(grant)).map(|grant| Difference {
        kind: grant.kind,
        name: grant.name.to_owned(),
        missing: owned(grant.privileges),
        more: Vec::new(),
    });
    beside.chain(absent).filter(|found| !found.missing.is_empty() || !found.more.is_empty()).collect()
}

fn difference(held: &HeldPrivileges, needed: Option<&Grant>) -> Difference {
    let needed = needed.map_or(&[][..], |grant| grant.privileges);
    let has = |privilege: &str| held.privileges.iter().any(|one| one == privilege);
    Difference {
        kind: held.kind,
        name: held.name.clone(),
        missing: owned(&needed.iter().copied().filter(|privilege| !has(privilege)).collect::<Vec<_>>()),
        more: held.privileges.iter().filter(|privilege| !needed.contains(&privilege.as_str())).cloned().collect(),
    }
}

fn owned(privileges: &[&str]) -> Vec<String> {
    privileges.iter().map(|privilege| (*privilege).to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exactly() -> Vec<HeldPrivileges> {
        let held = |grant: &Grant| HeldPrivileges {
            kind: grant.kind,
            name: if grant.kind == ObjectKind::Database { "eci".into() } else { grant.name.into() },
            privileges: owned(grant.privileges),
        };
        GRANTS.iter().map(held).collect()
    }

    #[test]
    fn what_is_missing_and_what_is_more_is_named() {
        assert_eq!(compare(&exactly()), []);
        let mut held = exactly();
        held.retain(|held| held.name != "teams");
        for one in &mut held {
            match one.name.as_str() {
                "audit_leaves" => one.privileges.push("DELETE".into()),
                "events" => one.privileges.retain(|privilege| privilege != "UPDATE"),
                _ => {}
            }
        }
        held.push(HeldPrivileges {
            kind: ObjectKind::Table,
            name: "of_tomorrow".into(),
            privileges: vec!["SELECT".into()],
        });
        let told: Vec<_> =
            compare(&held).into_iter().map(|one| (one.name, one.missing.join(","), one.more.join(","))).collect();
        let expected = [
            ("audit_leaves", "", "DELETE"),
            ("events", "UPDATE", ""),
            ("of_tomorrow", "", "SELECT"),
            ("teams", "SELECT,INSERT,UPDATE", ""),
        ];
        let expected = expected.map(|(name, missing, more)| (name.to_owned(), missing.to_owned(), more.to_owned()));
        assert_eq!(told, expected);
    }

    #[test]
    fn nothing_of_the_audit_is_changed_or_removed() {
        let audit = GRANTS.iter().filter(|grant| grant.name.starts_with("audit_") && grant.kind == ObjectKind::Table);
        assert!(audit.clone().count() == 4 && audit.into_iter().all(|grant| grant.privileges == ADD));
    }
}
