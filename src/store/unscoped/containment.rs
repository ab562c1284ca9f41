//! What a revocation takes along: the keys that were made or rotated with what it revokes, those that were made with
//! these, and so on. Whichever team's, unless the revocation is one team's own.

use uuid::Uuid;

use crate::domain::access_key::AccessKeyId;
use crate::domain::caller::TeamId;
use crate::domain::clock::Instant;
use crate::domain::ids::ApiKeyId;
use crate::domain::revocation::{Revocation, Target};
use crate::store::Error;
use crate::store::pool::Connection;
use crate::store::rows::word;

/// The keys that went.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TakenKeys {
    /// Of the REST API.
    pub api_keys: Vec<ApiKeyId>,
    /// Of the RPC front.
    pub access_keys: Vec<AccessKeyId>,
}

/// What keys are looked for by.
#[derive(Debug, Default)]
struct Makers {
    subjects: Vec<String>,
    credentials: Vec<String>,
    /// Keys that are meant themselves.
    api_keys: Vec<Uuid>,
    access_keys: Vec<String>,
}

impl Makers {
    fn of(target: &Target) -> Self {
        let mut makers = Self::default();
        match target {
            Target::Token(jti) => makers.credentials.push(jti.clone()),
            Target::Subject { subject, .. } => {
                let api_key = subject.strip_prefix("api_key:").and_then(|id| id.parse::<ApiKeyId>().ok());
                makers.api_keys.extend(api_key.map(ApiKeyId::uuid));
                makers.access_keys.extend(subject.strip_prefix("access_key:").map(str::to_owned));
                makers.subjects.push(subject.clone());
            }
        }
        makers
    }
}

/// Revokes them.
pub(super) async fn take(connection: &mut Connection, revocation: &Revocation) -> Result<TakenKeys, Error> {
    let (mut taken, mut makers) = (TakenKeys::default(), Makers::of(&revocation.target));
    let (team, at) = (revocation.team.as_ref(), revocation.created_at);
    loop {
        let access_keys = take_access_keys(connection, &makers, team, at).await?;
        taken.access_keys.extend(access_keys);
        let api_keys = take_api_keys(connection, &makers, team, at).await?;
        // Each is revoked once: however keys were made in circles, this ends.
        if api_keys.is_empty() {
            return Ok(taken);
        }
        let subjects = api_keys.iter().map(|id| format!("api_key:{id}")).collect();
        taken.api_keys.extend(api_keys);
        makers = Makers { subjects, ..Makers::default() };
    }
}

async fn take_api_keys(
    connection: &mut Connection,
    makers: &Makers,
    team: Option<&TeamId>,
    at: Instant,
) -> Result<Vec<ApiKeyId>, Error> {
    let rows: Vec<Uuid> = sqlx::query_scalar(
        "UPDATE api_keys SET revoked_at = $1
         WHERE revoked_at IS NULL AND ($2::text IS NULL OR team = $2)
           AND (created_by = ANY($3) OR rotated_by = ANY($3) OR made_with && $4 OR rotated_with && $4
                OR id = ANY($5))
         RETURNING id",
    )
    .bind(at)
    .bind(team.map(TeamId::as_str))
    .bind(&makers.subjects)
    .bind(&makers.credentials)
    .bind(&makers.api_keys)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

async fn take_access_keys(
    connection: &mut Connection,
    makers: &Makers,
    team: Option<&TeamId>,
    at: Instant,
) -> Result<Vec<AccessKeyId>, Error> {
    let rows: Vec<String> = sqlx::query_scalar(
        "UPDATE access_keys SET revoked_at = $1, secret = '', previous_secret = NULL, previous_until = NULL
         WHERE revoked_at IS NULL AND ($2::text IS NULL OR team = $2)
           AND (created_by = ANY($3) OR rotated_by = ANY($3) OR made_with && $4 OR rotated_with && $4
                OR id = ANY($5))
         RETURNING id",
    )
    .bind(at)
    .bind(team.map(TeamId::as_str))
    .bind(&makers.subjects)
    .bind(&makers.credentials)
    .bind(&makers.access_keys)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(|id| word(id.parse().ok(), "access_keys", "id")).collect()
}
