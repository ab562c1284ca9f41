//! The cloud's side of a test: the stand-in's admin API.
#![cfg(test)]

use std::time::Duration;

use eci_cache_gateway::eci::{self, Client, CredentialSource, Credentials};
use eci_cache_gateway::egress::Egress;
use serde_json::Value;

use super::answer::Answer;
use super::gateway::{Setup, TestGateway};
use super::setup::CloudKey;

/// How a client reaches the cloud in a test; `max_wait` is the timeout for connecting and for a call.
pub(crate) fn settings(endpoint: String, max_wait: Duration) -> eci::ClientSettings {
    eci::ClientSettings {
        endpoint,
        egress: Egress::default(),
        connect_timeout: max_wait,
        timeout: max_wait,
        keep_idle: eci::KEEP_IDLE,
        max_answer_bytes: 1 << 20,
    }
}

impl TestGateway {
    /// The URL of the stand-in.
    pub(crate) fn cloud(&self) -> String {
        self.world.standin.url()
    }

    /// A client that calls the cloud directly.
    pub(crate) fn cloud_client(&self) -> Client {
        self.world.client(&Setup::default())
    }

    /// The same, with the key of another account.
    pub(crate) fn cloud_client_of(&self, (id, secret): CloudKey) -> Client {
        let own = Credentials { access_key_id: id.into(), access_key_secret: secret.into(), security_token: None };
        self.cloud_client().of_account(None, CredentialSource::Own(own)).unwrap()
    }

    /// Adds a fault for the next call of its action.
    pub(crate) async fn fault(&self, fault: &Value) {
        let url = format!("{}/_admin/faults", self.cloud());
        Answer::of(self.http.post(url).json(fault)).await.expect(200);
    }

    /// Removes all unused faults.
    pub(crate) async fn forget_faults(&self) {
        Answer::of(self.http.delete(format!("{}/_admin/faults", self.cloud()))).await.expect(200);
    }

    /// The cloud hides this share of its image caches, until [`Self::tell_the_truth`].
    pub(crate) async fn lie(&self, hide_percent: i64) {
        let url = format!("{}/_admin/lies", self.cloud());
        Answer::of(self.http.post(url).json(&serde_json::json!({"hide_percent": hide_percent}))).await.expect(200);
    }

    /// The cloud shows everything again.
    pub(crate) async fn tell_the_truth(&self) {
        Answer::of(self.http.delete(format!("{}/_admin/lies", self.cloud()))).await.expect(200);
    }

    /// The cloud forgets every `ClientToken`.
    pub(crate) async fn forget_tokens(&self) {
        Answer::of(self.http.post(format!("{}/_admin/forget-tokens", self.cloud()))).await.expect(200);
    }

    /// Sets the limits of the account.
    pub(crate) async fn set_limits(&self, limits: &Value) {
        let url = format!("{}/_admin/settings", self.cloud());
        Answer::of(self.http.post(url).json(limits)).await.expect(200);
    }

    /// Marks a cache as used by an instance.
    pub(crate) async fn used_at_cloud(&self, used: &Value) {
        Answer::of(self.http.post(format!("{}/_admin/use", self.cloud())).json(used)).await.expect(200);
    }

    /// What actually happened in the cloud.
    pub(crate) async fn ledger(&self) -> Value {
        Answer::of(self.http.get(format!("{}/_admin/calls", self.cloud()))).await.expect(200)
    }

    /// How many caches were actually created.
    pub(crate) async fn creations(&self) -> usize {
        self.ledger().await["created"].as_array().unwrap().len()
    }
}
