//! The answers of the gate that are not "go on".

use axum::http::header::RETRY_AFTER;

use super::ProblemResponse;
use crate::app::input::GateAnswer;
use crate::app::view::FailureView;
use crate::domain::clock::Instant;
use crate::domain::ids::CacheId;
use crate::domain::image_cache::status::Status;
use crate::domain::problem::Code;

impl ProblemResponse {
    /// Why the gate is shut.
    pub fn gate(answer: GateAnswer) -> Self {
        match answer {
            GateAnswer::NotYet { id, status, expected_at, retry_after_seconds } => {
                not_yet(expected_at, retry_after_seconds).about(id, status)
            }
            GateAnswer::Failed { id, status, failure } => failed(failure.as_deref()).about(id, status),
            // An open gate is no problem; nobody asks for one.
            GateAnswer::Usable(_) | GateAnswer::Nothing => nothing(),
        }
    }

    fn about(mut self, id: CacheId, status: Status) -> Self {
        self.0.problem.image_cache_id = Some(id.to_string());
        self.0.problem.image_cache_status = Some(status.as_str().to_owned());
        self
    }
}

fn not_yet(expected_at: Instant, seconds: u32) -> ProblemResponse {
    let detail = "an image cache with these images is being built";
    let mut refusal = ProblemResponse::new(Code::ImageCacheNotReady, detail)
        .header(RETRY_AFTER, &seconds.to_string())
        .hint("ask again; with timeout=55 the request waits until it is usable");
    refusal.0.problem.expected_at = Some(expected_at);
    refusal
}

fn failed(failure: Option<&FailureView>) -> ProblemResponse {
    let detail = failure.map_or("the build failed", |why| why.message.as_str());
    let hint = failure.map_or("create it again", |why| why.hint.as_str());
    let mut refusal = ProblemResponse::new(Code::ImageCacheFailed, detail).hint(hint);
    if let Some(why) = failure {
        refusal.0.problem.cause = Some(why.cause.clone());
        refusal.0.problem.explanation = Some(why.explanation.clone());
        refusal.0.problem.provider_code = Some(why.code.clone());
        refusal.0.problem.provider_request_id.clone_from(&why.provider_request_id);
    }
    refusal
}

fn nothing() -> ProblemResponse {
    let detail = "no image cache of the team in the region contains all these images";
    ProblemResponse::new(Code::NothingCached, detail)
        .hint("create an image cache with POST /v1/image-caches; POST /v1/matches shows near misses")
}
