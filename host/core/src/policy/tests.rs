use super::*;

fn patch(options: &[(&str, &str)]) -> PolicyPatch {
    let mut patch = PolicyPatch::default();
    options.iter().for_each(|(option, text)| patch.set(option, text).unwrap());
    patch
}

#[test]
fn every_option_that_is_named_can_be_set() {
    let good = ["5s", "8", "1s", "linear", "1m", "high", "3", "id", "id", "5/s", "id", "1m", "1h"];
    for (option, text) in PolicyPatch::OPTIONS.into_iter().zip(good) {
        let mut patch = PolicyPatch::default();
        patch.set(option, text).unwrap();
        assert_ne!(patch, PolicyPatch::default(), "{option}");
    }
}

#[test]
fn what_is_out_of_range_is_refused_with_the_range() {
    let refused = [
        ("timeout", "2h", "1ms..=1h"),
        ("attempts", "0", "1..=100"),
        ("backoff", "5", "duration"),
        ("backoff_curve", "steep", "exponential, linear, constant"),
        ("priority", "9", "lowest, low, normal"),
        ("concurrency", "513", "1..=512"),
        ("concurrency_per", "a b", "customer.id"),
        ("rate", "5", "1/s"),
        ("delay", "31d", "30d"),
        ("colour", "red", "known: timeout"),
    ];
    for (option, text, cure) in refused {
        let refusal = PolicyPatch::default().set(option, text).unwrap_err();
        assert!(refusal.contains(cure), "{option}: {refusal}");
    }
}

#[test]
fn the_later_word_counts() {
    let declared = patch(&[("attempts", "3"), ("timeout", "5s"), ("order_per", "customer")]);
    let policy = patch(&[("attempts", "8"), ("concurrency_per", "shop")]).over(declared).policy();
    assert_eq!((policy.attempts, policy.timeout), (8, Millis(5000)));
    assert_eq!(policy.key, Some((Key::parse("shop").unwrap(), Order::Due)));
}

#[test]
fn order_and_concurrency_per_key_exclude_each_other() {
    let mut patch = patch(&[("order_per", "customer")]);
    assert!(patch.set("concurrency_per", "customer").unwrap_err().contains("order_per or concurrency_per"));
}

#[test]
fn none_switches_off_what_is_below_and_nothing_else() {
    let all = ["3", "id", "id", "5/s", "id", "1h"];
    for (switch, text) in PolicyPatch::SWITCHES.into_iter().zip(all) {
        let declared = patch(&[(switch, text), ("attempts", "3")]);
        assert_ne!(declared.clone().policy(), patch(&[("attempts", "3")]).policy(), "{switch}");
        let off = patch(&[(switch, "none")]).over(declared.clone());
        assert_eq!(off.policy(), patch(&[("attempts", "3")]).policy(), "{switch}");
        // A later word counts, also one on all handlers of a plugin under one on this handler.
        let again = patch(&[(switch, text)]).over(patch(&[(switch, "none")])).over(declared.clone());
        assert_eq!(again.policy(), declared.clone().policy(), "{switch}");
        let in_between = patch(&[("timeout", "5s")]).over(patch(&[(switch, "none")]).over(declared));
        assert_eq!(in_between.policy(), patch(&[("attempts", "3"), ("timeout", "5s")]).policy(), "{switch}");
    }
}

#[test]
fn none_of_one_key_is_none_of_the_other() {
    for (declared, off) in [("order_per", "concurrency_per"), ("concurrency_per", "order_per")] {
        let policy = patch(&[(off, "none")]).over(patch(&[(declared, "customer")])).policy();
        assert_eq!(policy.key, None);
    }
}

#[test]
fn what_a_handler_cannot_be_without_is_not_switched_off() {
    for option in PolicyPatch::OPTIONS.into_iter().filter(|option| !PolicyPatch::SWITCHES.contains(option)) {
        assert!(PolicyPatch::default().set(option, "none").is_err(), "{option}");
    }
}
