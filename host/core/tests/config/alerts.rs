//! Who is told of what, as hooks.yaml says it; and where spans go.

use hookbox_core::alert::{Rule, Rules, Share};
use hookbox_core::config::Channel;
use hookbox_core::name::ProviderName;
use hookbox_core::time::Millis;

use crate::{good, wrong};

const ALL: &str = "
alerts:
  every: 5s
  group: 0s
  settle: 2m
  hourly: 10
  to: [ops]
  channels:
    ops: { slack: { env: SLACK_URL } }
    pager: { webhook: https://pager.example.com/in, secret: { file: pager.key } }
    mail:
      mail: { server: smtp://mail.example.com, from: hookbox@example.com, to: [ops@example.com], user: hookbox, password: { env: MAIL } }
    own: { handler: tell/alert }
  rules:
    handler-failing: { failures: 20%, over: 50, within: 1h, to: [ops, pager] }
    dead-letters: off
    schedule-attention: { to: [mail] }
    queue-age: { longer: 1m }
    schedule-quiet: { after: { nightly: 25h }, to: [mail] }
    provider-silent: { after: { shop: 1h } }
    disk-low: { free: 20% }
";

#[test]
fn alerts_are_read_with_their_channels_and_rules() {
    let alerts = good(ALL).alerts;
    let kinds: Vec<_> = alerts.channels.values().map(Channel::kind).collect();
    assert_eq!(kinds, ["mail", "slack", "handler", "webhook"]);
    let Channel::Mail(mail) = &alerts.channels["mail"] else { panic!("{alerts:?}") };
    assert_eq!((mail.host.as_str(), mail.port, mail.tls), ("mail.example.com", 587, false));
    let hour = Millis::HOUR;
    assert_eq!(alerts.rules.handler_failing, Some(Share { percent: 20, over: 50, within: hour }));
    assert_eq!((alerts.rules.dead_letters, alerts.rules.queue_age), (None, Some(Millis::MINUTE)));
    assert_eq!(alerts.rules.schedule_late, Rules::default().schedule_late);
    assert_eq!(alerts.rules.provider_silent, [(ProviderName::parse("shop").unwrap(), hour)].into());
    assert_eq!(alerts.terms.usual, ["ops"]);
    assert_eq!(alerts.terms.channels[&Rule::HandlerFailing], ["ops", "pager"]);
    assert_eq!(alerts.terms.channels[&Rule::ScheduleQuiet], ["mail"]);
    assert!(alerts.rules.schedule_attention && alerts.terms.channels[&Rule::ScheduleAttention] == ["mail"]);
    assert!(!good("alerts: { rules: { schedule-attention: off } }").alerts.rules.schedule_attention);
    assert_eq!(good("alerts: { channels: { a: { handler: p/h } } }").alerts.terms.usual, ["a"]);
}

#[test]
fn mistakes_in_alerts_name_the_cure_and_the_line() {
    let channel = |text: &str| format!("alerts:\n  channels:\n    a: {text}");
    let rule = |text: &str| format!("alerts:\n  rules:\n    {text}");
    for (text, told) in [
        (channel("{}"), "alerts.channels.a: must have one of slack: { env: NAME }"),
        (channel("{ slack: https://hooks.slack.com/x }"), "alerts.channels.a.slack: write { env: NAME }"),
        (channel("{ webhook: https://a.example.com }"), "alerts.channels.a: secret is missing"),
        (channel("{ webhook: ftp://a, secret: { env: A } }"), "alerts.channels.a.webhook: must be a URL"),
        (channel("{ slack: { env: A }, handler: p/h }"), "alerts.channels.a: must have one of slack, webhook"),
        (channel("{ mail: { server: mail.example.com } }"), "alerts.channels.a.mail.server: must be smtps://HOST"),
        (
            channel("{ mail: { server: smtps://m.example.com, from: ops } }"),
            "alerts.channels.a.mail.from: must be an address",
        ),
        (
            channel("{ mail: { server: smtps://m.example.com, from: a@b.example } }"),
            "alerts.channels.a.mail.to: is missing",
        ),
        (channel("{ slak: { env: A } }"), "alerts.channels.a.slak: unknown key; did you mean \"slack\"?"),
        (rule("queue-age: { longer: 0s }"), "alerts.rules.queue-age.longer: must be 1s..=365d, got 0s"),
        (rule("queue-age: no"), "alerts.rules.queue-age: must be a map of its keys, or off, got no"),
        (rule("queue-ag: off"), "alerts.rules.queue-ag: unknown key; did you mean \"queue-age\"?"),
        (rule("handler-failing: { failures: 0% }"), "alerts.rules.handler-failing.failures: must be 1%..=100%, got 0%"),
        (rule("rollback: { to: [ops] }"), "alerts.rules.rollback.to[0]: is no channel"),
        (rule("provider-silent: { after: {} }"), "alerts.rules.provider-silent.after: must have 1 to 256 names"),
        ("\n\nalerts: { every: 1h }".to_owned(), "alerts.every: must be 1s..=10m, got 1h (line 3)"),
    ] {
        let mistakes = wrong(&text);
        assert!(mistakes.contains(told), "{told}\n{mistakes}");
        assert!(mistakes.contains("(line "), "{mistakes}");
    }
}

#[test]
fn a_secret_of_a_channel_is_never_quoted() {
    let told = wrong("alerts: { channels: { a: { slack: https://hooks.slack.com/services/T0/B0/hunter2 } } }");
    assert!(!told.contains("hunter2"), "{told}");
}

#[test]
fn tracing_is_off_until_it_has_an_endpoint() {
    assert_eq!(good("").tracing.endpoint, None);
    let tracing = good("tracing: { endpoint: http://127.0.0.1:4318, sample: 5%, continue: [shop] }").tracing;
    assert_eq!((tracing.endpoint.as_deref(), tracing.sample_percent), (Some("http://127.0.0.1:4318"), 5));
    assert!(tracing.continued.contains(&ProviderName::parse("shop").unwrap()));
    for (text, part) in [
        ("tracing: { endpoint: 127.0.0.1:4318 }", "tracing.endpoint: must be a URL"),
        ("tracing: { sample: 101% }", "tracing.sample: must be 0%..=100%, got 101% (line 1)"),
        ("tracing: { continue: shop }", "tracing.continue: must be a list"),
    ] {
        assert!(wrong(text).contains(part), "{part}: {}", wrong(text));
    }
}
