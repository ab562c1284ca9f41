//! What env files, shells and typing errors leave in the environment.

use super::*;

#[test]
fn unknown_variables_are_noted() {
    let noted = notes(&[("ECG_LISTN", "x"), ("ECG_TOKEN", "hush"), ("HOME", "/")]);
    assert_eq!(noted, ["the variable ECG_LISTN is not a setting; the closest is ECG_LISTEN"]);
    let capitals = "the variable ecg_Listen is not read: names are in capitals (ECG_LISTEN)";
    assert_eq!(notes(&[("ecg_Listen", "x"), ("eCG_listn", "x")]), [capitals]);
    // Even if a setting is invalid: it may be missing because the other name is wrong.
    let beside = notes(&[("ECG_LISTEN", "x"), ("ECG_KEY_AUDIT", "x")]);
    assert_eq!(beside, ["the variable ECG_KEY_AUDIT is not a setting; the closest is ECG_KEYS_AUDIT"]);
}

#[test]
fn what_env_files_leave_in_a_value_is_told() {
    let quotes = "; the quotes are part of the value: leave them out";
    let space = "; it begins or ends with a space or a line break";
    for (value, told) in [("\"json\"", quotes), ("'json'", quotes), ("json\r", space), (" json", space), ("jsn", "")] {
        let wrong = load(&[("ECG_LOG_FORMAT", value)]).unwrap_err();
        assert_eq!(wrong, [format!("ECG_LOG_FORMAT: must be json or text, not {value:?}{told}")]);
    }
    for quoted in ["\"abc\"", "'abc'"] {
        let wrong = load(&[("ECG_CLOUD_ACCESS_KEY_SECRET", quoted)]).unwrap_err();
        let told =
            format!("ECG_CLOUD_ACCESS_KEY_SECRET: must be a string without surrounding spaces or quotes{quotes}");
        assert_eq!(wrong, [told]);
    }
    let bytes = Environment::of_bytes(&[("ECG_LISTEN", b"\xff1:80"), ("OTHER", b"\xff")]);
    let wrong = said(Loaded::of(None, bytes.variables()).config()).unwrap_err();
    assert_eq!(wrong, ["ECG_LISTEN: must be UTF-8 text"]);
}
