//! The keys that a revocation revokes too: those that were created or rotated with what it revokes, those that were
//! created with these, and so on. They may be of any team, unless the revocation is one team's own.

use std::collections::HashSet;

use uuid::Uuid;

use crate::domain::identity::access_key::AccessKeyId;
use crate::domain::identity::caller::TeamId;
use crate::domain::identity::revocation::{Revocation, RevocationTarget};
use crate::domain::ids::ApiKeyId;
use crate::store::StoreError;
use crate::store::database::pool::PooledConnection;
use crate::store::values::word;

/// The keys that were revoked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenKeys {
    /// The keys of the REST API.
    pub api_keys: Vec<ApiKeyId>,
    /// The keys of the RPC API.
    pub access_keys: Vec<AccessKeyId>,
}

impl TakenKeys {
    /// Whether no key was revoked.
    pub fn is_empty(&self) -> bool {
        self.api_keys.is_empty() && self.access_keys.is_empty()
    }
}

/// The credentials whose keys are looked up.
#[derive(Debug, Default)]
struct Makers {
    subjects: Vec<String>,
    credentials: Vec<String>,
    /// Keys that are themselves to be revoked.
    api_keys: Vec<Uuid>,
    access_keys: Vec<String>,
}

impl Makers {
    fn of(target: &RevocationTarget) -> Self {
        let mut makers = Self::default();
        match target {
            RevocationTarget::Token(jti) => makers.credentials.push(jti.clone()),
            RevocationTarget::Subject { subject, .. } => {
                let api_key = subject.strip_prefix("api_key:").and_then(|id| id.parse::<ApiKeyId>().ok());
                makers.api_keys.extend(api_key.map(ApiKeyId::uuid));
                makers.access_keys.extend(subject.strip_prefix("access_key:").map(str::to_owned));
                makers.subjects.push(subject.clone());
            }
        }
        makers
    }

    /// The keys that API keys created or rotated.
    fn of_keys(keys: impl Iterator<Item = ApiKeyId>) -> Self {
        Self { subjects: keys.map(|id| format!("api_key:{id}")).collect(), ..Self::default() }
    }
}

/// Revokes them. What was created with an already revoked key is revoked too: the chain is followed through it.
pub(super) async fn take(connection: &mut PooledConnection, revocation: &Revocation) -> Result<TakenKeys, StoreError> {
    let (mut taken, mut makers) = (TakenKeys::default(), Makers::of(&revocation.target));
    let mut met = HashSet::new();
    loop {
        taken.access_keys.extend(take_access_keys(connection, &makers, revocation).await?);
        let found = api_keys_of(connection, &makers, revocation.team.as_ref()).await?;
        let fresh: Vec<(Uuid, bool)> = found.into_iter().filter(|(id, _)| met.insert(*id)).collect();
        // Each key is visited once, so this ends even if keys created each other in a circle.
        if fresh.is_empty() {
            return Ok(taken);
        }
        let good: Vec<Uuid> = fresh.iter().filter(|(_, revoked)| !revoked).map(|(id, _)| *id).collect();
        revoke_api_keys(connection, &good, revocation).await?;
        taken.api_keys.extend(good.into_iter().map(ApiKeyId::from));
        makers = Makers::of_keys(fresh.into_iter().map(|(id, _)| id.into()));
    }
}

/// The API keys that these created, and whether each is already revoked.
async fn api_keys_of(
    connection: &mut PooledConnection,
    makers: &Makers,
    team: Option<&TeamId>,
) -> Result<Vec<(Uuid, bool)>, StoreError> {
    let rows = sqlx::query_as(
        "SELECT id, revoked_at IS NOT NULL FROM api_keys
         WHERE ($1::text IS NULL OR team = $1)
           AND (created_by = ANY($2) OR made_with && $3 OR rotated_with && $2 OR rotated_with && $3 OR id = ANY($4))",
    )
    .bind(team.map(TeamId::as_str))
    .bind(&makers.subjects)
    .bind(&makers.credentials)
    .bind(&makers.api_keys)
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

async fn revoke_api_keys(connection: &mut PooledConnection, ids: &[Uuid], with: &Revocation) -> Result<(), StoreError> {
    sqlx::query("UPDATE api_keys SET revoked_at = $1, revoked_with = $3 WHERE id = ANY($2) AND revoked_at IS NULL")
        .bind(with.created_at)
        .bind(ids)
        .bind(with.id.uuid())
        .execute(connection)
        .await?;
    Ok(())
}

async fn take_access_keys(
    connection: &mut PooledConnection,
    makers: &Makers,
    with: &Revocation,
) -> Result<Vec<AccessKeyId>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "UPDATE access_keys SET revoked_at = $1, revoked_with = $6, secret = '', previous_secret = NULL,
             previous_until = NULL
         WHERE revoked_at IS NULL AND ($2::text IS NULL OR team = $2)
           AND (created_by = ANY($3) OR made_with && $4 OR rotated_with && $3 OR rotated_with && $4 OR id = ANY($5))
         RETURNING id",
    )
    .bind(with.created_at)
    .bind(with.team.as_ref().map(TeamId::as_str))
    .bind(&makers.subjects)
    .bind(&makers.credentials)
    .bind(&makers.access_keys)
    .bind(with.id.uuid())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|id| word(id.parse().ok(), "access_keys", "id")).collect()
}
