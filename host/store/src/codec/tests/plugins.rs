//! The stored form of a plugin.

use super::schedules::{old_rules, whole_rules};
use super::*;

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
    let bytes = encode_plugin(&row).unwrap();
    golden("plugin-v4", &bytes);
    assert_eq!(decode_plugin(&bytes).unwrap(), row);
    assert!(decode_plugin(&[5]).unwrap_err().to_string().contains("this release reads 1 to 4"));
    assert!(decode_plugin(&[]).is_err());
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
