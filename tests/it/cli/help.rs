//! The output of `--help` of the binary and of each of its commands.
#![cfg(test)]

use std::process::Command;

/// The help of this command.
fn help(words: &[String]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_eci-cache-gateway"));
    let output = command.args(words).arg("--help").env_clear().output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The names of the commands in a help text, except `help` itself.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    let names = names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help");
    names.map(str::to_owned).collect()
}

/// The help of the command and of all its subcommands.
fn tell(words: &[String], told: &mut Vec<String>) {
    let help = help(words);
    told.push(format!(
        "$ eci-cache-gateway {}\n\n{}",
        [words, &["--help".to_owned()]].concat().join(" "),
        help.trim_end()
    ));
    for command in commands(&help) {
        tell(&[words, &[command]].concat(), told);
    }
}

#[test]
fn each_command_says_what_it_is_for() {
    let mut told = Vec::new();
    tell(&[], &mut told);
    assert!(told.len() > 20, "{told:?}");
    insta::assert_snapshot!(told.join("\n\n\n"));
}
