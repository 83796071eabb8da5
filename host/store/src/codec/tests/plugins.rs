//! The stored form of a plugin.

use super::schedules::{old_rules, whole_rules};
use super::*;
use crate::catalogue::{By, CommandAnswer, CommandRefused, Ending, PluginCommand, SignedBy, Standing, Trusted, Wish};

#[test]
fn a_plugin() {
    let handler = |name: &str, trigger| Handler {
        name: HandlerName::parse(name).unwrap(),
        trigger,
        description: Some("greets".to_owned()),
        policy: PolicyPatch { timeout: Some(Millis(1000)), attempts: Some(3), ..PolicyPatch::default() },
        filter: None,
    };
    let info = PluginInfo {
        name: target().plugin,
        version: "1.2.3".to_owned(),
        description: None,
        handlers: vec![
            handler("on-user", Trigger::Events(vec![Pattern::parse("shop/user.*").unwrap()])),
            handler("by-hand", Trigger::Manual),
        ],
    };
    let mut row = PluginRow::new(target().plugin);
    row.activated(Digest([1; 32]), info, NOW);
    row.refused = Some(RefusedVersion {
        digest: Some(Digest([2; 32])),
        at: NOW,
        code: "bad-name".to_owned(),
        reason: "the name differs".to_owned(),
    });
    row.missing_since = Some(NOW);
    // The form without filters is read as it was written.
    assert_eq!(decode_plugin(&kept("plugin")).unwrap(), row);
    row.active.as_mut().unwrap().info.handlers[0].filter = Some(Filter::parse("data.amount > 1000").unwrap());
    // So is the form with three parts of a policy.
    assert_eq!(decode_plugin(&kept("plugin-v2")).unwrap(), row);
    let active = row.active.as_mut().unwrap();
    active.info.handlers[0].policy = whole_policy();
    let (name, when) = (ScheduleName::parse("welcome.by-hand").unwrap(), When::every(Millis(60_000)).unwrap());
    let declared = |rules| Trigger::Schedule(DeclaredSchedule { name: name.clone(), when: when.clone(), rules });
    active.info.handlers[1].trigger = declared(old_rules());
    // So is the form with three parts of a schedule's policy.
    assert_eq!(decode_plugin(&kept("plugin-v3")).unwrap(), row);
    row.active.as_mut().unwrap().info.handlers[1].trigger = declared(whole_rules());
    // So is the form without rollbacks.
    assert_eq!(decode_plugin(&kept("plugin-v4")).unwrap(), row);
    let info = row.active.as_ref().unwrap().info.clone();
    row.rolled_back(Digest([3; 32]), info.clone(), NOW, &[Digest([1; 32])], By::Operator, "it was wrong");
    row.rolled_back(Digest([4; 32]), info, NOW, &[Digest([3; 32])], By::Host, "it failed");
    let active = row.active.as_mut().unwrap();
    active.imports = vec!["hookbox:plugin/kv@0.1.0".to_owned()];
    active.standing = Standing::OnTrial;
    // So is the form that does not tell why the version may run.
    assert_eq!(decode_plugin(&kept("plugin-v5")).unwrap(), row);
    let signed = Some(SignedBy { key: "E7620F1842B4E81F".to_owned(), comment: "file:a.wasm".to_owned() });
    row.trusted = Some(Trusted { pinned: true, signed });
    row.active.as_mut().unwrap().standing = Standing::Failed;
    // So is the form that does not tell which versions were good: those that the host has not rolled back.
    assert_eq!(decode_plugin(&kept("plugin-v6")).unwrap(), row);
    assert_eq!(row.history.iter().map(|past| past.settled).collect::<Vec<_>>(), [true, false, false]);
    row.history[0].settled = false;
    row.history[1].settled = true;
    let bytes = encode_plugin(&row).unwrap();
    golden("plugin-v7", &bytes);
    assert_eq!(decode_plugin(&bytes).unwrap(), row);
    row.retired(NOW, Ending::Gone);
    assert_eq!(decode_plugin(&encode_plugin(&row).unwrap()).unwrap(), row);
    assert!(decode_plugin(&[8]).unwrap_err().to_string().contains("this release reads 1 to 7"));
    assert!(decode_plugin(&[]).is_err());
}

#[test]
fn a_history_of_an_older_form_tells_when_each_version_ended() {
    // The name, nothing active, refused or missing, and two versions.
    let digest = |byte: u8| Digest([byte; 32]);
    let old = ("welcome", None::<u8>, None::<u8>, None::<u8>, vec![(digest(1), 5u64), (digest(2), 7)]);
    let row = decode_plugin(&postcard::to_extend(&old, vec![4]).unwrap()).unwrap();
    let ends: Vec<_> = row.history.iter().map(|past| past.ended.map(|ended| (ended.at.0, ended.how))).collect();
    assert_eq!(ends, [Some((7, Ending::Replaced)), None]);
}

#[test]
fn commands() {
    let take = Wish::Take { digest: Digest([1; 32]), signature: Some("untrusted comment".to_owned()) };
    let refused = CommandRefused { code: "core-module".to_owned(), reason: "it is a core module".to_owned() };
    let answer = CommandAnswer { at: NOW, refused: Some(refused) };
    let commands = [
        ("take", PluginCommand { asked: NOW, wish: take, answer: Some(answer) }),
        ("activate", PluginCommand { asked: NOW, wish: Wish::Activate { digest: Digest([2; 32]) }, answer: None }),
    ];
    for (name, command) in commands {
        let bytes = encode(&command).unwrap();
        golden(&format!("plugin-command-{name}"), &bytes);
        assert_eq!(decode::<PluginCommand>(&bytes).unwrap(), command);
    }
}

/// With every part.
fn whole_policy() -> PolicyPatch {
    let mut policy = PolicyPatch::default();
    let parts = ["5s", "8", "1s", "linear", "1m", "high", "3", "data.id", "", "5/s", "data.n", "1m", "1h"];
    for (option, text) in PolicyPatch::OPTIONS.into_iter().zip(parts).filter(|(_, text)| !text.is_empty()) {
        policy.set(option, text).unwrap();
    }
    policy
}
