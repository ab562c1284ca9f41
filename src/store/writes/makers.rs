//! Keys and the credentials that create them: a key is created, or gets a new secret, only while the credential that
//! does it is valid, and is revoked with that credential.
//!
//! What must stay true: creating keys and revoking exclude each other through one lock, which those who create share;
//! so a key is either created before the revocation, which then finds it, or after, and is refused.

use crate::domain::clock::Instant;
use crate::domain::identity::caller::{Caller, CredentialKind};
use crate::domain::ids::ApiKeyId;
use crate::store::StoreError;
use crate::store::database::pool::PooledConnection;

/// The result of adding a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Added {
    /// The key is added.
    Added,
    /// The team has the most keys allowed.
    Full,
    /// The credential that was to create it is revoked.
    MakerRevoked,
}

/// The result of giving a key a new secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RotationOutcome<Key> {
    /// The key has its new secret.
    Turned(Key),
    /// The team has no such key, or it is revoked.
    Absent,
    /// The credential that asked for it is revoked.
    MakerRevoked,
}

/// Waits for revocations in progress, and blocks new ones until the transaction ends. Returns whether `maker` is still
/// valid.
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

/// Waits for keys that are being created, and blocks new ones until the transaction ends.
pub(in crate::store) async fn hold_off(connection: &mut PooledConnection) -> Result<(), StoreError> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('makers of keys', 0))").execute(connection).await?;
    Ok(())
}
