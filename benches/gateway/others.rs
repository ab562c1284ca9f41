//! The benchmarks that are separate programs, because they have testbeds of their own: started from here with their
//! arguments, and their output is printed as it is.

use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Their names and arguments: for a normal and for a quick run.
const OTHERS: [(&str, &[&str], &[&str]); 3] = [
    ("tracker", &["--real", "1000", "--seconds", "60"], &["--real", "0"]),
    ("webhooks", &["--seconds", "8"], &["--seconds", "2", "--deliveries", "2000"]),
    ("overload", &["--rounds", "2", "--seconds", "4"], &["--rounds", "1", "--seconds", "2"]),
];

/// The requested benchmarks.
pub(crate) fn asked(has: impl Fn(&str) -> bool) -> Vec<&'static str> {
    OTHERS.iter().map(|(name, ..)| *name).filter(|name| has(name)).collect()
}

/// Runs one of them and returns its output.
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
