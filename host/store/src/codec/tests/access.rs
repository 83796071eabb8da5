//! The stored forms of tokens, sessions and the audit log.

use hookbox_core::access::{
    AccessToken, AuditEntry, AuditOutcome, Holder, Role, RulesHash, SecretHash, Session, TokenName, Via,
};

use super::*;
use crate::audit::AuditV1;

#[test]
fn tokens_sessions_and_what_was_done() {
    let (name, hash) = (TokenName::parse("ci").unwrap(), SecretHash::of(b"ci"));
    let token = AccessToken {
        name: name.clone(),
        hash,
        role: Role::Operator,
        created: NOW,
        by: "loopback".to_owned(),
        used: Some(NOW),
        expires: None,
    };
    golden("token", &encode(&token).unwrap());
    assert_eq!(decode::<AccessToken>(&encode(&token).unwrap()).unwrap(), token);
    let (ann, role) = ("ann".to_owned(), Role::Viewer);
    let holders = [
        ("configured", Holder::Configured(hash)),
        ("token", Holder::Token(name)),
        ("person", Holder::PersonV1 { name: ann.clone(), role }),
        ("person-by-rules", Holder::Person { name: ann, role, rules: RulesHash::of(b"ops") }),
    ];
    for (kind, holder) in holders {
        let session = Session { hash, holder, created: NOW, used: NOW };
        golden(&format!("session-{kind}"), &encode(&session).unwrap());
        assert_eq!(decode::<Session>(&encode(&session).unwrap()).unwrap(), session);
    }
    let entry = AuditEntry {
        at: NOW,
        who: "ci".to_owned(),
        via: Via::Token,
        role: Some(Role::Operator),
        address: "192.0.2.1".to_owned(),
        what: "cancel run".to_owned(),
        object: "run_01JABCDEFGHJKMNPQRSTVWXYZ0".to_owned(),
    };
    let outcome = AuditOutcome { result: "done".to_owned(), detail: String::new() };
    for (name, outcome) in [("audit-begun", None), ("audit", Some(outcome))] {
        let row = AuditV1 { entry: entry.clone(), outcome };
        golden(name, &encode(&row).unwrap());
        assert_eq!(decode::<AuditV1>(&encode(&row).unwrap()).unwrap(), row);
    }
}
