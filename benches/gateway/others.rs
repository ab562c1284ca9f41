//! The benchmarks that are programs of their own, for they put together a testbed of their own: started from here with
//! what they need, shown as they say it.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Their names, with what they are told: usually, and for a quick look.
const OTHERS: [(&str, &[&str], &[&str]); 3] = [
    ("tracker", &["--real", "1000", "--seconds", "60"], &["--real", "0"]),
    ("webhooks", &["--seconds", "8"], &["--seconds", "2", "--deliveries", "2000"]),
    ("overload", &["--rounds", "2", "--seconds", "4"], &["--rounds", "1", "--seconds", "2"]),
];

/// The benchmarks that are asked for.
pub(crate) fn asked(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    OTHERS.iter().map(|(name, ..)| *name).filter(|name| has(name)).collect()
}

/// Runs one of them; what it printed.
pub(crate) fn run(name: &str, quick: bool) -> anyhow::Result<String> {
    eprintln!("cargo bench --bench {name}");
    let (_, usual, short) = OTHERS.iter().find(|(other, ..)| *other == name).context("it is one of them")?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["bench", "--quiet", "--manifest-path"]).arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
    command.args(["--bench", name, "--"]).args(*if quick { short } else { usual });
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{name}: {}", output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
