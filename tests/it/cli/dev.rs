//! `dev`: one command starts everything, and the `env` file that it writes is sufficient for the other commands.
#![cfg(test)]

use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};

use crate::support::folder::TempFolder;

const PROGRAM: &str = env!("CARGO_BIN_EXE_eci-cache-gateway");
const ISSUERS: &str = r#"
[[issuers]]
name = "added"
issuer = "https://added.example"
audiences = ["a"]
keys = { from = "jwks_url", url = "http://127.0.0.1:9/keys" }
rules = [{ name = "all", matches_anybody = true, team = { fixed = "web" } }]
"#;

/// A running `dev`; stopped at the end of the test by a signal, so that its Postgres stops too.
struct Dev {
    process: Child,
    banner: String,
}

impl Dev {
    fn start(folder: &Path, more: &[(&str, &str)]) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["dev", "--port", "0", "--data-dir"]).arg(folder).envs(more.iter().copied());
        command.env_remove("CARGO_MANIFEST_DIR").stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let banner = banner(process.stdout.take().unwrap());
        Self { process, banner }
    }

    /// Stops it and returns its standard error.
    fn stop(mut self) -> String {
        self.interrupt();
        let mut said = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(self.process.wait().unwrap().success(), "{said}");
        said
    }

    fn interrupt(&self) {
        let pid = self.process.id().to_string();
        let _sent = Command::new("sh").args(["-c", "kill -s INT \"$1\"", "sh", &pid]).status();
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        if self.process.try_wait().unwrap().is_none() {
            self.interrupt();
            let _reaped = self.process.wait();
        }
    }
}

/// Its output up to the last line.
fn banner(stdout: ChildStdout) -> String {
    let mut text = String::new();
    let mut lines = BufReader::new(stdout);
    while !text.contains("kill -INT") {
        assert!(lines.read_line(&mut text).unwrap() > 0, "it ended by itself: {text}");
    }
    text
}

/// Runs this in a shell that has sourced `env`.
fn shell(folder: &Path, script: &str) -> (Option<i32>, String) {
    let mut command = Command::new("sh");
    let script = format!(". \"$1/env\"; {script}");
    command.args(["-c", &script, "sh"]).arg(folder).env("gateway", PROGRAM);
    let Output { status, stdout, stderr } = command.output().unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr))
}

async fn status(url: &str, token: &str) -> u16 {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    http.get(url).bearer_auth(token.trim()).send().await.unwrap().status().as_u16()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_readme_works_with_the_variables_that_dev_wrote() {
    let folder = TempFolder::new("dev");
    let issuers = folder.path().join("issuers.toml");
    std::fs::write(&issuers, ISSUERS).unwrap();
    let data = folder.path().join("data");
    let more = [
        ("ECG_AUTH_ISSUERS_FILE", issuers.to_str().unwrap()),
        ("ECG_TRUSTED_PROXIES", "10.0.0.0/8"),
        ("ECG_POLICY_CONTACT", "somebody"),
        ("ECG_CONFIG", "/nowhere.toml"),
    ];
    let dev = Dev::start(&data, &more);
    assert!(dev.banner.contains(&format!("| {PROGRAM} receive --port 9099")), "{}", dev.banner);
    assert!(dev.banner.contains("$ECG_ADMIN_TOKEN") && !dev.banner.contains("cargo run"), "{}", dev.banner);
    assert_eq!(std::fs::metadata(data.join("env")).unwrap().mode() & 0o777, 0o600);
    let (_, url) = shell(&data, "printf %s \"$ECG_URL\"");
    let (code, token) = shell(&data, "\"$gateway\" token --team web --scope 'read write,webhooks'");
    assert_eq!((code, status(&format!("{url}/v1/image-caches"), &token).await), (Some(0), 200), "{token}");
    let (code, key) = shell(&data, "\"$gateway\" api-key --team web --scope read");
    assert_eq!((code, status(&format!("{url}/v1/image-caches"), &key).await), (Some(0), 200), "{key}");
    let (code, told) = shell(&data, "printf %s \"$ECG_TOKEN\" | \"$gateway\" auth explain - --json");
    let told: Value = serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}"));
    assert_eq!((code, &told["caller"]["teams"]), (Some(0), &json!(["demo"])));
    let (code, told) = shell(&data, "\"$gateway\" doctor cloud --region cn-hangzhou");
    assert!(code == Some(0) && told.contains("cn-hangzhou: eci:DescribeImageCaches is allowed."), "{told}");
    let (code, told) = shell(&data, "\"$gateway\" doctor database");
    assert!(code == Some(1) && told.contains("is a superuser") && told.lines().count() < 5, "{told}");
    let (_, listed) = shell(&data, "curl -sS \"$ECG_URL/v1/issuers\" -H \"Authorization: Bearer $ECG_ADMIN_TOKEN\"");
    assert!(listed.contains("https://added.example"), "{listed}");
    let said = dev.stop();
    assert!(said.contains("ignores ECG_CONFIG, ECG_POLICY_CONTACT."), "{said}");
}

#[test]
fn a_file_of_settings_is_refused() {
    let Output { status, stderr, .. } =
        Command::new(PROGRAM).args(["dev", "--config", "my.toml"]).env_clear().output().unwrap();
    let told = String::from_utf8(stderr).unwrap();
    assert!(status.code() == Some(2) && told.contains("reads no settings file") && told.contains("my.toml"), "{told}");
}
