//! The private PostgreSQL of `dev`: it starts, restarts, survives kills, and leaves nothing behind.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use eci_cache_gateway::localpg::{Durability, Options, Server, StartError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};

use crate::support::database::within;
use crate::support::folder::TempFolder;
use crate::support::server::options_for;

fn options(folder: &Path) -> Options {
    Options { max_connections: 20, ..options_for(folder, Durability::Durable) }
}

fn start(folder: &Path) -> Server {
    Server::start(&options(folder), |line| eprintln!("{line}")).expect("the server starts")
}

/// Runs one statement and returns the first column of its first row, if there is one.
fn query(server: &Server, sql: &'static str) -> Option<i32> {
    let options = PgConnectOptions::from_str(&server.database_url()).expect("the address is well formed");
    within(async move {
        let mut connection = PgConnection::connect_with(&options).await.expect("the server answers");
        let row = sqlx::query(sql).fetch_optional(&mut connection).await.expect("the statement is good");
        row.map(|row| row.get(0))
    })
}

/// The pid of the server in that directory.
fn postmaster(server: &Server) -> i32 {
    query(server, "SELECT pg_backend_pid()").expect("one row");
    let sql = "SELECT split_part(pg_read_file('postmaster.pid'), E'\\n', 1)::int";
    query(server, sql).expect("one row")
}

fn kill(signal: &str, pid: i32) -> bool {
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", "kill -s \"$1\" \"$2\"", "sh", signal, &pid.to_string()]).stderr(Stdio::null());
    kill.status().expect("a shell runs").success()
}

/// Whether a process exists (signal 0 only checks).
fn exists(pid: i32) -> bool {
    kill("0", pid)
}

#[test]
fn a_second_start_finds_its_data() {
    let folder = TempFolder::new("localpg");
    let server = start(folder.path());
    query(&server, "CREATE TABLE kept AS SELECT 42 AS answer");
    server.stop().expect("it stops");
    let server = start(folder.path());
    assert_eq!(query(&server, "SELECT answer FROM kept"), Some(42));
}

#[test]
fn stopping_leaves_nothing_running() {
    let folder = TempFolder::new("localpg");
    let server = start(folder.path());
    let pid = postmaster(&server);
    assert!(exists(pid));
    let socket = server.socket_dir().join(".s.PGSQL.5432");
    assert!(socket.exists());
    server.stop().expect("it stops");
    assert!(!exists(pid) && !socket.exists());
}

#[test]
fn a_killed_server_starts_again_with_its_rows() {
    let folder = TempFolder::new("localpg");
    let server = start(folder.path());
    query(&server, "CREATE TABLE kept AS SELECT 7 AS answer");
    assert!(kill("KILL", postmaster(&server)));
    drop(server);
    let server = start(folder.path());
    assert_eq!(query(&server, "SELECT answer FROM kept"), Some(7));
}

#[test]
fn a_live_left_over_is_stopped() {
    let folder = TempFolder::new("localpg");
    let server = start(folder.path());
    let old = postmaster(&server);
    // As after a kill -9 of the owner: a running server whose directory nobody has locked.
    let lock = fs::File::open(folder.path().join("lock")).expect("the lock is a file");
    fs::remove_file(folder.path().join("lock")).expect("the lock can be removed");
    let second = start(folder.path());
    assert!(postmaster(&second) != old && !exists(old));
    drop((server, lock));
    assert_eq!(query(&second, "SELECT 1"), Some(1));
}

#[test]
fn garbage_in_the_state_files_is_cleared() {
    let folder = TempFolder::new("localpg");
    for garbage in ["", "1\n", &format!("{}\n", std::process::id()), "no number"] {
        let server = start(folder.path());
        let socket = server.socket_dir().join(".s.PGSQL.5432");
        let data = data_folder(&server);
        server.stop().expect("it stops");
        fs::write(Path::new(&data).join("postmaster.pid"), garbage).expect("the file can be written");
        fs::write(&socket, "").expect("the file can be written");
        fs::write(socket.with_extension("5432.lock"), garbage).expect("the file can be written");
        let server = start(folder.path());
        assert_eq!(query(&server, "SELECT 3"), Some(3), "{garbage:?}");
    }
}

fn data_folder(server: &Server) -> String {
    let options = PgConnectOptions::from_str(&server.database_url()).expect("the address is well formed");
    within(async move {
        let mut connection = PgConnection::connect_with(&options).await.expect("the server answers");
        sqlx::query_scalar("SHOW data_directory").fetch_one(&mut connection).await.expect("a setting")
    })
}

#[test]
fn a_folder_has_one_owner() {
    let folder = TempFolder::new("localpg");
    let _server = start(folder.path());
    let refused = Server::start(&options(folder.path()), |_| ()).expect_err("the folder is held");
    assert!(matches!(refused, StartError::Held(_)));
    let told = format!(
        "another eci-cache-gateway already uses {}: stop it, or choose another folder",
        folder.path().display()
    );
    assert_eq!(refused.to_string(), told);
}

#[test]
fn a_long_path_works() {
    let folder = TempFolder::new("localpg");
    let long = folder.path().join("x".repeat(90));
    let server = start(&long);
    assert_eq!(query(&server, "SELECT 5"), Some(5));
    let socket = server.socket_dir().to_owned();
    server.stop().expect("it stops");
    if let Ok(elsewhere) = fs::read_to_string(long.join("elsewhere")) {
        fs::remove_dir_all(elsewhere).expect("it can be removed");
    }
    drop(fs::remove_dir(socket));
}

#[test]
fn only_we_may_enter_the_socket() {
    let folder = TempFolder::new("localpg");
    let server = start(folder.path());
    let mode = fs::metadata(server.socket_dir()).expect("a folder").mode();
    assert_eq!(mode & 0o777, 0o700);
    let tcp = query(&server, "SELECT length(current_setting('listen_addresses'))");
    assert_eq!(tcp, Some(0));
}

#[test]
fn without_postgres_the_ways_out_are_told() {
    let folder = TempFolder::new("localpg");
    let options = Options { pg_bin: Some(folder.path().to_owned()), ..options(folder.path()) };
    let refused = Server::start(&options, |_| ()).expect_err("there is nothing in that folder");
    assert!(matches!(refused, StartError::NotFound(_)));
    let told = format!("ECG_PG_BIN: {} has no postgres; it must hold PostgreSQL 14 or later", folder.path().display());
    assert_eq!(refused.to_string(), told);
}
