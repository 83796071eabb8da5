use super::*;
use crate::retry::Backoff;

fn declared(handlers: Vec<DeclaredHandler>) -> Declared {
    Declared { name: "welcome".into(), version: "1.0.0".into(), description: None, handlers, options: vec![] }
}

fn on(name: &str, patterns: &[&str], options: &[(&str, &str)]) -> DeclaredHandler {
    DeclaredHandler {
        name: name.into(),
        trigger: DeclaredTrigger::Events(patterns.iter().map(|p| (*p).into()).collect()),
        options: options.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
    }
}

fn welcome() -> PluginName {
    PluginName::parse("welcome").unwrap()
}

#[test]
fn a_good_description_is_accepted_with_its_policy() {
    let info = declared(vec![on("on-user", &["shop/user.*"], &[("timeout", "5s"), ("attempts", "8")])]);
    let info = PluginInfo::check(info, &welcome()).unwrap();
    let policy = info.handlers[0].policy.clone().policy();
    assert_eq!((policy.timeout, policy.attempts), (Millis(5000), 8));
    assert_eq!(policy.backoff, Backoff::default());
}

#[test]
fn every_mistake_is_told_at_once() {
    let mut info = declared(vec![
        on("on-user", &["user.created"], &[("timeout", "5"), ("colour", "red")]),
        on("Bad Name", &["a/b"], &[]),
        on("twice", &["a/b"], &[]),
        on("twice", &["a/b"], &[]),
    ]);
    info.name = "payments".into();
    let BadDescription(wrong) = PluginInfo::check(info, &welcome()).unwrap_err();
    let all = wrong.join("\n");
    for part in ["calls itself", "user.created", "timeout", "known: timeout, attempts", "Bad Name", "twice"] {
        assert!(all.contains(part), "{part:?} is missing in:\n{all}");
    }
}

#[test]
fn of_many_mistakes_a_few_are_told_and_each_is_short() {
    let unknown = ("o\u{1b}".repeat(100_000), "v".to_owned());
    let mut info = declared(vec![on("on-user", &["shop/user.*", &"p".repeat(100_000)], &[])]);
    info.handlers[0].options = vec![unknown; 5000];
    let BadDescription(wrong) = PluginInfo::check(info, &welcome()).unwrap_err();
    assert_eq!(wrong.len(), MISTAKES_MAX + 1);
    assert!(wrong.iter().all(|m| m.chars().count() <= MISTAKE_CHARS_MAX && !m.contains('\u{1b}')), "{wrong:?}");
    assert!(wrong[MISTAKES_MAX].starts_with("and 49"), "{}", wrong[MISTAKES_MAX]);
}

#[test]
fn a_filter_is_compiled_with_the_description() {
    let info = declared(vec![on("on-user", &["shop/user.*"], &[("filter", "data.amount > 1000")])]);
    let info = PluginInfo::check(info, &welcome()).unwrap();
    assert_eq!(info.handlers[0].filter, Some(Filter::parse("data.amount > 1000").unwrap()));
}

#[test]
fn a_filter_that_is_none_is_told_with_its_handler() {
    let job = DeclaredHandler {
        name: "by-hand".into(),
        trigger: DeclaredTrigger::Manual,
        options: vec![("filter".into(), "true".into())],
    };
    let broken = on("on-user", &["shop/user.*"], &[("filter", "data.amount >")]);
    let BadDescription(wrong) = PluginInfo::check(declared(vec![broken, job]), &welcome()).unwrap_err();
    let all = wrong.join("\n");
    for part in ["handler \"on-user\": filter: ", "such as data.amount > 1000", "handler \"by-hand\": filter: only"] {
        assert!(all.contains(part), "{part:?} is missing in:\n{all}");
    }
}

#[test]
fn a_plugin_without_handlers_is_refused() {
    assert!(PluginInfo::check(declared(vec![]), &welcome()).is_err());
}

#[test]
fn a_schedule_is_named_below_its_plugin() {
    let handler = DeclaredHandler {
        name: "digest".into(),
        trigger: DeclaredTrigger::Cron {
            expression: "0 9 * * MON-FRI".into(),
            options: vec![("timezone".into(), "Europe/London".into()), ("name".into(), "mornings".into())],
        },
        options: vec![],
    };
    let info = PluginInfo::check(declared(vec![handler]), &welcome()).unwrap();
    let Trigger::Schedule(schedule) = &info.handlers[0].trigger else { panic!("{info:?}") };
    assert_eq!(schedule.name.as_str(), "welcome.mornings");
}

#[test]
fn two_handlers_may_not_name_one_schedule() {
    let every = |handler: &str, name: Option<&str>| DeclaredHandler {
        name: handler.into(),
        trigger: DeclaredTrigger::Every {
            period: Millis::HOUR,
            options: name.map(|name| ("name".into(), name.into())).into_iter().collect(),
        },
        options: vec![],
    };
    let both = declared(vec![every("digest", None), every("report", Some("digest"))]);
    let BadDescription(wrong) = PluginInfo::check(both, &welcome()).unwrap_err();
    assert_eq!(
        wrong,
        ["handlers digest and report both name the schedule welcome.digest: give one of them another name"]
    );
    let apart = declared(vec![every("digest", None), every("report", Some("weekly"))]);
    assert_eq!(PluginInfo::check(apart, &welcome()).unwrap().handlers.len(), 2);
}

#[test]
fn a_digest_reads_back() {
    let digest = Digest([7; 32]);
    assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
    assert_eq!(Digest::parse("sha256:07"), None);
}
