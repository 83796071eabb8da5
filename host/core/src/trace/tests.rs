use std::sync::Mutex;

use super::*;
use crate::clock::ManualClock;
use crate::id::{EventId, JobId};
use crate::time::Millis;

const TOLD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[derive(Default)]
struct Kept(Mutex<Vec<Span>>);

impl Collect for Kept {
    fn take(&self, span: Span) {
        self.0.lock().unwrap().push(span);
    }
}

fn tracing(sample_percent: u32) -> (Tracing, Arc<Kept>, Arc<ManualClock>) {
    let (kept, clock) = (Arc::<Kept>::default(), Arc::new(ManualClock::at(Timestamp(1_000))));
    let rules = Rules { sample_percent, continued: [provider("shop")].into() };
    (Tracing::to(kept.clone(), clock.clone(), Arc::new(Mint::new([7; 32])), rules), kept, clock)
}

fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).unwrap()
}

fn event(attributes: &[(&str, &str)]) -> Input {
    let event = Event {
        id: EventId::new(Timestamp(5), 9),
        source: crate::event::Source::Provider(provider("shop")),
        namespace: "shop".into(),
        event_type: "a".into(),
        subject: None,
        time: Timestamp(5),
        content_type: "application/json".into(),
        data: Vec::new(),
        attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        hops: 0,
    };
    Input::Event(Arc::new(event))
}

#[test]
fn a_trace_is_continued_only_where_the_operator_says_so() {
    let (tracing, ..) = tracing(100);
    let told: TraceContext = TOLD.parse().unwrap();
    let continued = tracing.enter(&provider("shop"), Some(TOLD)).unwrap();
    assert_eq!((continued.context.trace, continued.parent, continued.link), (told.trace, Some(told.span), None));
    assert_ne!(continued.context.span, told.span);
    let linked = tracing.enter(&provider("other"), Some(TOLD)).unwrap();
    assert_eq!((linked.parent, linked.link), (None, Some(told)));
    assert_ne!(linked.context.trace, told.trace);
    let broken = tracing.enter(&provider("shop"), Some("00-nonsense")).unwrap();
    assert_eq!((broken.parent, broken.link), (None, None));
}

#[test]
fn an_attempt_is_in_the_trace_that_its_event_tells_and_any_two_agree() {
    let (tracing, ..) = tracing(100);
    let run = RunId::new(Timestamp(7), 3);
    let input = event(&[("provider", "shop"), (TRACEPARENT, TOLD)]);
    let told: TraceContext = TOLD.parse().unwrap();
    let (context, parent) = tracing.of_run(run, &input).unwrap();
    assert_eq!((context.trace, parent), (told.trace, Some(told.span)));
    assert_eq!(tracing.of_run(run, &input).unwrap().0, context, "after a restart it is the same");
    // What a sender calls so is another attribute.
    let (of_its_own, parent) = tracing.of_run(run, &event(&[("header.traceparent", TOLD)])).unwrap();
    assert_eq!((of_its_own.trace, parent), (TraceId::of(EventId::new(Timestamp(5), 9).to_bytes()), None));
}

#[test]
fn spans_have_their_times_and_go_nowhere_where_they_are_not_sampled() {
    for (percent, number) in [(100, 2), (0, 0)] {
        let (tracing, kept, clock) = tracing(percent);
        let began = tracing.began().unwrap();
        let entered = tracing.enter(&provider("other"), None).unwrap();
        clock.advance(Millis(20));
        tracing.ended(began, Unended::new(entered.context, None, "webhook", Kind::Server));
        tracing.ended_since(Timestamp(20), Unended::new(entered.context, None, "run", Kind::Consumer));
        let spans = kept.0.lock().unwrap();
        assert_eq!(spans.len(), number);
        let times: Vec<_> = spans.iter().map(|span| (span.began_us, span.took_us)).collect();
        assert_eq!(times, [(1_000_000, 20_000), (20_000, 1_000_000)][..number]);
    }
}

#[test]
fn the_sampled_part_is_about_as_large_as_was_asked_for() {
    let (tracing, ..) = tracing(25);
    let entered = (0..4_000).map(|_| tracing.enter(&provider("other"), None).unwrap());
    let sampled = entered.filter(|entered| entered.context.sampled).count();
    assert!((800..1_200).contains(&sampled), "{sampled}");
    let job = |n| crate::event::Job {
        id: JobId::new(Timestamp(7), n),
        origin: crate::event::JobOrigin::Operator,
        scheduled_at: Timestamp(7),
        content_type: String::new(),
        data: Vec::new(),
        hops: 0,
        trace: None,
    };
    let of_job = tracing.of_run(RunId::new(Timestamp(7), 3), &Input::Job(Arc::new(job(1)))).unwrap();
    let asked = tracing.of_run(
        RunId::new(Timestamp(7), 3),
        &Input::Job(Arc::new(crate::event::Job { trace: TOLD.parse().ok(), ..job(2) })),
    );
    assert_eq!(asked.unwrap().1, Some(TOLD.parse::<TraceContext>().unwrap().span));
    assert_eq!(of_job.0.trace, TraceId::of(JobId::new(Timestamp(7), 1).to_bytes()));
}

#[test]
fn off_nothing_is_made() {
    let off = Tracing::default();
    assert!(!off.is_on() && tracing(100).0.is_on());
    assert!(off.began().is_none() && off.enter(&provider("shop"), Some(TOLD)).is_none());
    assert!(off.of_run(RunId::new(Timestamp(7), 3), &event(&[])).is_none());
}
