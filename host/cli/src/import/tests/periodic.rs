//! `add_periodic_task`, beside what Celery 5.7 made of the same calls.

use super::*;

fn made(calls: &str) -> Carried {
    python(&format!("def setup(sender, **kwargs):\n    {}\n", calls.replace('\n', "\n    "))).unwrap()
}

/// What the task gets, as Celery has it: args and kwargs.
fn payload(call: &str) -> Option<serde_json::Value> {
    let made = made(call);
    let schedules = schedules(&made);
    let [schedule] = &schedules[..] else { panic!("{}", made.text) };
    assert_eq!((schedule.target.plugin.as_str(), schedule.target.handler.as_str()), ("a", "b"), "{}", made.text);
    schedule.payload.as_ref().map(|payload| serde_json::from_slice(&payload.data).unwrap())
}

#[test]
fn a_signature_brings_the_arguments_that_celery_gives_its_task() {
    for (call, args, kwargs) in [
        ("add_periodic_task(10, a.b.s(1), (2,))", json!([2, 1]), json!({})),
        ("add_periodic_task(10, a.b.si(1), (2,), {'k': 1})", json!([1]), json!({})),
        ("add_periodic_task(10, a.b.s(1, k=1), kwargs={'k': 2, 'j': 3})", json!([1]), json!({"k": 2, "j": 3})),
        ("add_periodic_task(10, a.b.s(1, **{'k': 1}), None, ())", json!([1]), json!({"k": 1})),
        ("add_periodic_task(10, a.b.subtask((1, 2)))", json!([1, 2]), json!({})),
        ("add_periodic_task(10, a.b.signature((1,), {'k': 1}))", json!([1]), json!({"k": 1})),
        ("add_periodic_task(10, a.b.signature(kwargs={'k': 1}))", json!([]), json!({"k": 1})),
        ("add_periodic_task(10, signature('a.b', (1,), {'k': 1}))", json!([1]), json!({"k": 1})),
        ("add_periodic_task(10, app.signature('a.b', args=(1,)), [2])", json!([2, 1]), json!({})),
        ("add_periodic_task(10, signature('a.b', (1,), immutable=True), [2])", json!([1]), json!({})),
    ] {
        let wanted = json!({ "args": args, "kwargs": kwargs });
        assert_eq!(payload(&format!("sender.{call}")), Some(wanted), "{call}");
    }
    assert_eq!(payload("sender.add_periodic_task(10, a.b.s())"), None);
}

#[test]
fn a_signature_with_code_in_it_or_with_options_is_told() {
    for call in ["a.b.s(*ARGS)", "a.b.s(**KWARGS)", "a.b.signature(ARGS)", "a.b.s(1), ARGS", "a.b.s().set(countdown=5)"]
    {
        let made = made(&format!("sender.add_periodic_task(10, {call})"));
        assert_eq!((made.carried, made.left), (0, 1), "{}", made.text);
    }
    for call in [
        "a.b.signature((1,), countdown=5)",
        "signature('a.b', (1,), {}, {'countdown': 5})",
        "a.b.s(1), countdown=5",
        "a.b.s(1), **{'countdown': 5}",
    ] {
        let made = made(&format!("sender.add_periodic_task(10, {call})"));
        assert_eq!(made.carried, 1, "{}", made.text);
        assert!(left(&made)[0].starts_with("countdown=5"), "{}", made.text);
    }
    let made = made("sender.add_periodic_task(10, a.b.s(1), **OPTIONS)");
    assert!(left(&made)[0].starts_with("option **=OPTIONS"), "{}", made.text);
}

#[test]
fn the_last_of_two_tasks_that_celery_takes_for_one_counts() {
    for (calls, carried) in [
        ("sender.add_periodic_task(10, a.b.s(1))\nsender.add_periodic_task(30, a.b.s(1))", 1),
        ("sender.add_periodic_task(10, a.b.s(1), name='x')\nsender.add_periodic_task(30, a.b.s(2), name='x')", 1),
        ("sender.add_periodic_task(10, a.b.s(1), (), {}, 'x')\nsender.add_periodic_task(30, a.b.s(2), name='x')", 1),
        (
            "app.conf.beat_schedule = {'x': {'task': 'a.b', 'schedule': 10}}\nsender.add_periodic_task(30, a.b.s(), name='x')",
            1,
        ),
        ("sender.add_periodic_task(10, a.b.s(1))\nsender.add_periodic_task(30, a.b.s(2))", 2),
        ("sender.add_periodic_task(10, a.b.s(1), name='x')\nsender.add_periodic_task(30, a.b.s(1), name='y')", 2),
    ] {
        let made = made(calls);
        assert_eq!((made.carried, left(&made)), (carried, vec![]), "{calls}\n{}", made.text);
        assert!(made.text.contains("every: 30s"), "{}", made.text);
    }
}
