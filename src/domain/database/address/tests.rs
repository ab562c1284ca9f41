//! A table of addresses, most of them from manuals, charts and bug reports.

use proptest::collection::vec;
use proptest::sample::select;

use super::*;
use crate::domain::property::holds;

fn read(text: &str) -> Vec<(&'static str, String)> {
    let address = DatabaseAddress::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    address.parameters().map(|(name, value)| (name, value.to_owned())).collect()
}

fn refused(text: &str) -> String {
    match DatabaseAddress::parse(text) {
        Ok(address) => panic!("{text} is taken: {:?}", address.parameters().collect::<Vec<_>>()),
        Err(error) => error.to_string(),
    }
}

#[test]
fn whatever_libpq_takes_is_taken() {
    type Values = &'static [(&'static str, &'static str)];
    let table: &[(&str, Values)] = &[
        ("postgres://", &[]),
        ("postgresql://localhost", &[("host", "localhost")]),
        ("postgresql://localhost:5433", &[("host", "localhost"), ("port", "5433")]),
        ("POSTGRES://h/d", &[("dbname", "d"), ("host", "h")]),
        (" postgres://u@h/d\n", &[("dbname", "d"), ("host", "h"), ("user", "u")]),
        ("postgresql://user:secret@localhost", &[("host", "localhost"), ("password", "secret"), ("user", "user")]),
        ("postgres://u:p@[::1]/d", &[("dbname", "d"), ("host", "::1"), ("password", "p"), ("user", "u")]),
        ("postgres://[2001:db8::1234]:5433/d", &[("dbname", "d"), ("host", "2001:db8::1234"), ("port", "5433")]),
        ("postgres://[fe80::1%25eth0]/d", &[("dbname", "d"), ("host", "fe80::1%eth0")]),
        (
            "postgres://u:p@/d?host=/socket",
            &[("dbname", "d"), ("host", "/socket"), ("password", "p"), ("sslmode", "disable"), ("user", "u")],
        ),
        ("postgresql:///d?host=/var/lib/pg", &[("dbname", "d"), ("host", "/var/lib/pg"), ("sslmode", "disable")]),
        ("postgresql://%2Fvar%2Flib%2Fpg/d", &[("dbname", "d"), ("host", "/var/lib/pg"), ("sslmode", "disable")]),
        ("postgres://u:p#w@h/d", &[("dbname", "d"), ("host", "h"), ("password", "p#w"), ("user", "u")]),
        ("postgres://u:p?w:x@h/d", &[("dbname", "d"), ("host", "h"), ("password", "p?w:x"), ("user", "u")]),
        ("postgres://u:%40%2F%23%25@h", &[("host", "h"), ("password", "@/#%"), ("user", "u")]),
        ("postgres://u%40corp:p@h", &[("host", "h"), ("password", "p"), ("user", "u@corp")]),
        ("postgres://h/d?user=u&password=p%26q", &[("dbname", "d"), ("host", "h"), ("password", "p&q"), ("user", "u")]),
        ("postgres://h/d?host=i&port=1", &[("dbname", "d"), ("host", "i"), ("port", "1")]),
        ("postgres://name/d?hostaddr=10.0.0.1", &[("dbname", "d"), ("host", "10.0.0.1")]),
        ("postgres://h/d?ssl=true", &[("dbname", "d"), ("host", "h"), ("sslmode", "require")]),
        ("postgres://h?sslmode=allow", &[("host", "h"), ("sslmode", "prefer")]),
        (
            "postgres://h?sslmode=require&sslrootcert=/ca",
            &[("host", "h"), ("sslmode", "verify-ca"), ("sslrootcert", "/ca")],
        ),
        ("postgres://h?sslrootcert=system", &[("host", "h"), ("sslmode", "verify-full")]),
        ("postgres://h?application_name=a%20b", &[("application_name", "a b"), ("host", "h")]),
        ("postgres://h?fallback_application_name=x", &[("application_name", "x"), ("host", "h")]),
        ("postgres://h?target_session_attrs=read-write&channel_binding=prefer&gssencmode=disable", &[("host", "h")]),
        (
            "postgres://ep-x.aws.neon.tech/d?sslmode=require&",
            &[("dbname", "d"), ("host", "ep-x.aws.neon.tech"), ("sslmode", "require")],
        ),
        ("host=h port=1 dbname=d", &[("dbname", "d"), ("host", "h"), ("port", "1")]),
        ("host = h  password = 'a b\\'c\\\\' user=''", &[("host", "h"), ("password", "a b'c\\")]),
        ("dbname=d password=p://x", &[("dbname", "d"), ("password", "p://x")]),
    ];
    for (text, values) in table {
        let values: Vec<_> = values.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        assert_eq!(read(text), values, "{text}");
    }
}

#[test]
fn what_is_refused_is_told_with_the_right_spelling() {
    let table = [
        ("", "must be an address such as"),
        ("mydb", "must be an address such as"),
        ("mysql://u:hush@h/d", "must be an address such as"),
        ("postgresql+asyncpg://u:hush@h/d", "begin it with postgres://"),
        ("jdbc:postgresql://h/d", "begin it with postgres://"),
        ("\"postgres://u:hush@h/d\"", "remove them"),
        ("postgres://u:hu@sh@h/d", "an @ in the user name or the password is written %40"),
        ("postgres://u:hu/sh@h/d", "%2F"),
        ("postgres://u:hush@/sh@h/d", "%40"),
        ("postgres://u:hush%@h/d", "%25"),
        ("postgres://u:hush%zz@h/d", "%25"),
        ("postgres://u:hush%00@h/d", "%"),
        ("postgres://u:hush", "%23"),
        ("postgres://u:hush@h:port/d", "port from 1 to 65535"),
        ("postgres://u:hush@h:0/d", "port from 1 to 65535"),
        ("postgres://u:hush@h:70000/d", "port from 1 to 65535"),
        ("postgres://::1/d", "[::1]"),
        ("postgres://u:hush@::1/d", "[::1]"),
        ("postgres://u:hush@[::1/d", "[::1]"),
        ("postgres://u:hush@[h]/d", "[::1]"),
        ("postgres://u:hush@a,b/d", "names 2 hosts"),
        ("postgres://u:hush@a:1,b:2,c:3/d?target_session_attrs=read-write", "names 3 hosts"),
        ("host=a,b", "names 2 hosts"),
        ("postgres://u:hush@h/d?sslmode=no-verify", "disable, allow, prefer, require, verify-ca, verify-full"),
        ("postgres://h/d?sslmode=no-verify", "not \"no-verify\""),
        ("postgres://h/d?sslmode=require&sslrootcert=system", "verify-full only"),
        ("postgres://h/d?ssl=1", "ssl=true"),
        ("postgres://h/d?channel_binding=require", "channel_binding=prefer"),
        ("postgres://h/d?gssencmode=require", "GSSAPI"),
        ("postgres://h/d?target_session_attrs=standby", "any, read-write or primary"),
        ("postgres://h/d?nonsense=1", "\"nonsense\""),
        ("postgres://h/d?password=hu&sh=1", "%26"),
        ("postgres://h/d?password=hu&sslmode=sh", "sslmode"),
        ("password=hush sh=1", "single quotation marks"),
        ("password=hu sh", "name=value"),
        ("password='hush", "not closed"),
        ("postgres://h/d?schema=app", "schema"),
        ("postgres://h/d?connection_limit=5", "ECG_DATABASE_POOL_SIZE"),
        ("postgres://h/d?pgbouncer=true", "session mode"),
        ("postgres://h/d?options=-S", "search_path"),
        ("postgres://h/d?sslcrl=/x", "revoked"),
        ("service=x", "service"),
        ("postgres://u:p@h h/d", "neither a name"),
        ("host=@abstract", "neither a name"),
        ("postgresql://u:hush@/d?host=/var/run/postgresql/.s.PGSQL.5432", "the folder"),
        ("postgres://my_user:some cool/hush@pg-host:5432/my-db", "%2F"),
        ("postgres://user:Superp@$$W0rd01@db_host:5432/db_name", "%40"),
        ("postgres://localhost/d?serverVersion=16.6&charset=utf8", "\"serverVersion\""),
        ("postgresql+srv://cluster.example.com/mydb", "begin it with postgres://"),
        ("postgres://h/d?hostaddr=h", "IP address"),
        ("postgres://h/d?hostaddr=10.0.0.1&sslmode=verify-full", "leave hostaddr out"),
    ];
    for (text, told) in table {
        let said = refused(text);
        assert!(said.contains(told), "{text}: {said}");
        assert!(!said.contains("hu") && !said.contains("sh") && !said.contains("W0rd"), "{text}: {said}");
    }
}

#[test]
fn settings_of_the_session_are_read() {
    let settings = |text: &str| DatabaseAddress::parse(text).unwrap().settings;
    let wanted = [("search_path".to_owned(), "a, b".to_owned()), ("jit".to_owned(), "off".to_owned())];
    for options in
        ["-c search_path=a,\\ b -c jit=off", "-csearch_path=a,\\ b --jit=off", "--search-path=a,\\ b -c jit=off"]
    {
        assert_eq!(settings(&format!("postgres://h?options={}", options.replace(' ', "%20"))), wanted, "{options}");
    }
    assert_eq!(settings("postgres://h?options[search_path]=a, b&options[jit]=off"), wanted);
}

#[test]
fn what_has_no_effect_is_said() {
    let notes = |text: &str| DatabaseAddress::parse(text).unwrap().notes;
    assert_eq!(notes("postgres://h?sslmode=prefer"), [""; 0]);
    let told = notes("postgres://h?connect_timeout=10&keepalives=1");
    assert_eq!(told.len(), 2);
    assert!(told[0].starts_with("connect_timeout") && told[0].contains("ECG_DATABASE_ACQUIRE_SECONDS"), "{told:?}");
}

#[test]
fn debug_shows_no_value() {
    assert_eq!(format!("{:?}", DatabaseAddress::parse("postgres://u:hush@h").unwrap()).find("hush"), None);
}

#[test]
fn nothing_panics() {
    let parts = [
        "postgres://",
        "u",
        ":",
        "@",
        "/",
        "?",
        "%",
        "[",
        "]",
        "=",
        "&",
        ",",
        "host",
        "'",
        "\\",
        "é",
        " ",
        "options",
        "-c",
    ];
    holds(10_000, vec(select(parts.to_vec()), 0..=12), |parts| {
        let _read = DatabaseAddress::parse(&parts.concat());
        Ok(())
    });
}
