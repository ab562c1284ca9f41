//! The canonical bytes: one literal answer that never changes, and every column counts.

use super::*;

fn record() -> AuditRecord {
    AuditRecord {
        number: 7,
        txid: 900,
        body: AuditBody {
            id: Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001),
            at_micros: 1_772_352_000_000_001,
            team: Some("web".into()),
            subject: "alice".into(),
            credential: None,
            door: "rest".into(),
            request_id: "req_1".into(),
            address: Some("127.0.0.1".into()),
            action: "get_me".into(),
            resource: None,
            outcome: "succeeded".into(),
            http_status: Some(200),
            code: None,
            duration_ms: Some(3),
            cloud_ms: None,
            operation: None,
            provider_request_id: None,
            parameters: BTreeMap::from([("a".into(), "b".into())]),
        },
        stamp: Some(vec![0xab, 0xcd]),
    }
}

#[test]
fn the_bytes_of_version_1_are_these() {
    let hex = record().leaf_data().iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
    let expected = [
        "01",                                 // version
        "0000000000000007",                   // number
        "0000000000000384",                   // txid
        "0101900000000070008000000000000001", // id
        "0100064bf1db608001",                 // at
        "0100000003776562",                   // team
        "0100000005616c696365",               // subject
        "00",                                 // credential
        "010000000472657374",                 // door
        "01000000057265715f31",               // request_id
        "01000000093132372e302e302e31",       // address
        "01000000066765745f6d65",             // action
        "00",                                 // resource
        "0100000009737563636565646564",       // outcome
        "0100000000000000c8",                 // http_status
        "00",                                 // code
        "010000000000000003",                 // duration_ms
        "00",                                 // cloud_ms
        "00",                                 // operation
        "00",                                 // provider_request_id
        "010000000100000001610000000162",     // parameters
        "0100000002abcd",                     // stamp
    ];
    assert_eq!(hex, expected.concat());
}

#[test]
fn every_column_counts() {
    let changes: [fn(&mut AuditRecord); 21] = [
        |r| r.number += 1,
        |r| r.txid += 1,
        |r| r.stamp = None,
        |r| r.body.id = Uuid::nil(),
        |r| r.body.at_micros -= 1,
        |r| r.body.team = None,
        |r| r.body.subject.push('x'),
        |r| r.body.credential = Some(String::new()),
        |r| r.body.door.clear(),
        |r| r.body.request_id.push('x'),
        |r| r.body.address = None,
        |r| r.body.action.push('x'),
        |r| r.body.resource = Some("x".into()),
        |r| r.body.outcome = "failed".into(),
        |r| r.body.http_status = None,
        |r| r.body.code = Some("x".into()),
        |r| r.body.duration_ms = Some(4),
        |r| r.body.cloud_ms = Some(4),
        |r| r.body.operation = Some(Uuid::nil()),
        |r| r.body.provider_request_id = Some("x".into()),
        |r| drop(r.body.parameters.insert("a".into(), "c".into())),
    ];
    let mut seen = vec![record().leaf_data()];
    for change in changes {
        let mut other = record();
        change(&mut other);
        assert!(!seen.contains(&other.leaf_data()), "{other:?}");
        seen.push(other.leaf_data());
    }
}

#[test]
fn a_text_cannot_pass_into_its_neighbour() {
    let (mut one, mut other) = (record(), record());
    one.body.subject = "alicex".into();
    other.body.door = "xrest".into();
    assert_ne!(one.leaf_data(), other.leaf_data());
}
