//! Presets for machines: pipelines and workloads that prove their identity without a stored secret.

use std::collections::BTreeMap;

use super::{AUDIENCE, Preset, PresetParameters, SCOPES, TEAM, needed, usual};
use crate::domain::identity::issuer::{Issuer, IssuerRule, ScopeSource, TeamSource};

/// A rule with one team and fixed scopes for the machines that `matches` describes. Pointers without patterns are left
/// out.
fn machine(given: &PresetParameters, name: &str, matches: &[(&str, Vec<String>)], noted: &[&str]) -> IssuerRule {
    let matters = matches.iter().filter(|(_, patterns)| !patterns.is_empty());
    let matches: BTreeMap<_, _> =
        matters.map(|(pointer, patterns)| ((*pointer).to_owned(), patterns.clone())).collect();
    IssuerRule {
        name: name.to_owned(),
        matches,
        team: TeamSource { fixed: Some(given.text("team")), ..TeamSource::default() },
        scopes: ScopeSource { fixed: given.list("scopes"), ..ScopeSource::default() },
        noted: noted.iter().copied().map(str::to_owned).collect(),
        ..IssuerRule::default()
    }
}

fn word(text: &str) -> Vec<String> {
    vec![text.to_owned()]
}

/// Google: identity tokens of service accounts.
pub(super) const GOOGLE: Preset = Preset {
    name: "google",
    title: "Google: identity tokens of a service account",
    parameters: &[
        AUDIENCE,
        needed("email", "the service account: ci@my-project.iam.gserviceaccount.com"),
        TEAM,
        SCOPES,
    ],
    make: google,
};

fn google(given: &PresetParameters) -> Issuer {
    let matches = [("/email", given.list("email")), ("/email_verified", word("true"))];
    Issuer {
        name: "google".into(),
        issuer: "https://accounts.google.com".into(),
        audiences: given.list("audience"),
        rules: vec![machine(given, "service-account", &matches, &["/email"])],
        ..Issuer::default()
    }
}

/// GitHub Actions: anybody on GitHub has tokens of this issuer, so the repository must be matched.
pub(super) const GITHUB_ACTIONS: Preset = Preset {
    name: "github-actions",
    title: "GitHub Actions: the workflows of one repository on one ref, without a secret",
    parameters: &[
        usual(
            "issuer",
            "of Enterprise Server: https://HOST/_services/token",
            "https://token.actions.githubusercontent.com",
        ),
        AUDIENCE,
        needed("repository", "the repository: my-org/app"),
        usual("repository_id", "its number, which no later repository of that name has; empty: any", ""),
        usual("ref", "refs, separated by commas: refs/heads/main,refs/tags/**", "refs/heads/main"),
        usual("environment", "the deployment environment; empty: any", ""),
        TEAM,
        SCOPES,
    ],
    make: github_actions,
};

fn github_actions(given: &PresetParameters) -> Issuer {
    // Each claim has the name of its parameter.
    let matches =
        ["/repository", "/repository_id", "/ref", "/environment"].map(|claim| (claim, given.list(&claim[1..])));
    let noted = ["/repository", "/ref", "/environment", "/workflow_ref", "/sha", "/run_id", "/actor"];
    Issuer {
        name: "github".into(),
        issuer: given.text("issuer"),
        audiences: given.list("audience"),
        // These tokens live for minutes.
        max_lifetime_seconds: 3_600,
        rules: vec![machine(given, "repository", &matches, &noted)],
        ..Issuer::default()
    }
}

/// GitLab: ID tokens of pipelines (`id_tokens:` in `.gitlab-ci.yml`). It writes booleans as strings.
pub(super) const GITLAB: Preset = Preset {
    name: "gitlab",
    title: "GitLab: the pipelines of one project on protected branches, without a secret",
    parameters: &[
        usual("url", "where GitLab is", "https://gitlab.com"),
        AUDIENCE,
        needed("project", "the project's path: my-group/my-app"),
        usual("project_id", "its number, which no later project of that path has; empty: any", ""),
        usual("ref", "branches, separated by commas", "main"),
        usual("ref_protected", "true: protected branches only; empty: any", "true"),
        usual("environment", "the deployment environment; empty: any", ""),
        TEAM,
        SCOPES,
    ],
    make: gitlab,
};

fn gitlab(given: &PresetParameters) -> Issuer {
    let matches = [
        ("/project_path", given.list("project")),
        ("/project_id", given.list("project_id")),
        ("/ref_type", word("branch")),
        ("/ref", given.list("ref")),
        ("/ref_protected", given.list("ref_protected")),
        ("/environment", given.list("environment")),
    ];
    let noted = ["/project_path", "/ref", "/environment", "/pipeline_id", "/job_id", "/sha", "/user_login"];
    Issuer {
        name: "gitlab".into(),
        issuer: given.text("url").trim_end_matches('/').to_owned(),
        audiences: given.list("audience"),
        rules: vec![machine(given, "project", &matches, &noted)],
        ..Issuer::default()
    }
}

/// Kubernetes: projected tokens of service accounts (`serviceAccountToken` with an audience).
pub(super) const KUBERNETES: Preset = Preset {
    name: "kubernetes",
    title: "Kubernetes: a service account of one namespace",
    parameters: &[
        needed("issuer", "the cluster's issuer: kubectl get --raw /.well-known/openid-configuration"),
        usual("name", "the name of the cluster at this gateway", "kubernetes"),
        AUDIENCE,
        needed("namespace", "the namespace: web"),
        usual("service_account", "service accounts, separated by commas; empty: all of the namespace", ""),
        TEAM,
        SCOPES,
    ],
    make: kubernetes,
};

fn kubernetes(given: &PresetParameters) -> Issuer {
    let (namespace, account) = ("/kubernetes.io/namespace", "/kubernetes.io/serviceaccount/name");
    let matches = [(namespace, given.list("namespace")), (account, given.list("service_account"))];
    Issuer {
        name: given.text("name"),
        issuer: given.text("issuer"),
        audiences: given.list("audience"),
        rules: vec![machine(given, "namespace", &matches, &[namespace, account, "/kubernetes.io/pod/name"])],
        ..Issuer::default()
    }
}
