//! Keys and those who make them: a key comes about, or gets another secret, only while what it is made with holds, and
//! goes with it when that is revoked.
//!
//! What must stay true: making keys and revoking pass each other through one lock, shared by the makers; so a key is
//! either made before the revocation, which then finds it, or after, and is refused.

use crate::domain::clock::Instant;
use crate::domain::identity::caller::{Caller, CredentialKind};
use crate::domain::ids::ApiKeyId;
use crate::store::StoreError;
use crate::store::database::pool::PooledConnection;

/// What became of a key that was to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// It is there.
    Added,
    /// The team has as many as it may.
    Full,
    /// What it was to be made with is revoked.
    MakerRevoked,
}

/// What became of a key that was to get another secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationOutcome<Key> {
    /// It has it.
    Turned(Key),
    /// The team has no such key that is not revoked.
    Absent,
    /// The credential that asked for it is revoked.
    MakerRevoked,
}

/// Waits for revocations that are being made, and holds off others until the transaction ends. Whether `maker` is let
/// in still.
pub(in crate::store) async fn hold(
    connection: &mut PooledConnection,
    maker: &Caller,
    now: Instant,
) -> Result<bool, StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock_shared(hashtextextended('makers of keys', 0))")
        .execute(&mut *connection)
        .await?;
    let issued_at = match &maker.kind {
        CredentialKind::Token { issued_at, .. } => *issued_at,
        CredentialKind::Exchanged(bond) => bond.subject_issued_at,
        CredentialKind::ApiKey(id) => return key_holds(connection, *id).await,
        CredentialKind::AccessKey | CredentialKind::Own => return Ok(true),
    };
    let holds = sqlx::query_scalar(
        "SELECT NOT EXISTS (SELECT FROM revocations WHERE kept_until > $1 AND (team IS NULL OR team = $2)
             AND (jti = ANY($3) OR (subject = $4 AND ($5::timestamptz IS NULL OR $5 < issued_before))))",
    )
    .bind(now)
    .bind(maker.team.as_str())
    .bind(maker.credentials())
    .bind(&maker.subject)
    .bind(issued_at)
    .fetch_one(&mut *connection)
    .await?;
    Ok(holds)
}

async fn key_holds(connection: &mut PooledConnection, id: ApiKeyId) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT FROM api_keys WHERE id = $1 AND revoked_at IS NULL)";
    Ok(sqlx::query_scalar(sql).bind(id.uuid()).fetch_one(connection).await?)
}

/// Waits for keys that are being made, and holds off others until the transaction ends.
pub(in crate::store) async fn hold_off(connection: &mut PooledConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('makers of keys', 0))").execute(connection).await?;
    Ok(())
}
