//! What alerts are judged by.

use hookbox_core::alert::Rules;
use hookbox_core::name::ScheduleName;
use hookbox_core::schedule::{Origin, Rules as Terms, Schedule, When};
use hookbox_core::time::Millis;
use hookbox_http::readings::Sources;

use crate::harness::{Host, NOW};
use crate::operator::{target, welcome};
use crate::schedules::tick;

/// More than one look reads at a time.
const SCHEDULES: usize = 1_100;

#[tokio::test]
async fn of_many_schedules_one_that_fired_late_is_found_wherever_it_stands() {
    let host = Host::new();
    host.store.put_plugin(welcome()).await.unwrap();
    let name = |n: usize| ScheduleName::parse(&format!("s-{n:05}")).unwrap();
    let schedule = |n: usize| Schedule {
        name: name(n),
        target: target("welcome", "digest"),
        // Only the last one has a slot soon.
        when: if n + 1 == SCHEDULES {
            When::every(Millis::MINUTE).unwrap()
        } else {
            When::every(Millis(30 * Millis::DAY.0)).unwrap()
        },
        payload: None,
        origin: Origin::Config,
        rules: Terms::default(),
    };
    host.store.declare_schedules((0..SCHEDULES).map(schedule).collect(), NOW).await.unwrap();
    let last = name(SCHEDULES - 1);
    let now = NOW.plus(Millis(2 * Millis::MINUTE.0 - 1_000));
    tick(&host, last.as_str(), now).await;
    let providers = host.providers.load();
    let sources = Sources {
        store: &*host.store,
        tally: &host.tally,
        spending: &host.spending,
        providers: &providers,
        data: host.plugins.path(),
    };
    let rules = Rules { schedule_late: Some(Millis(30_000)), ..Rules::default() };
    let late = sources.read(&rules, now).await.unwrap().schedules;
    assert_eq!(late.keys().collect::<Vec<_>>(), [&last]);
    assert!(late[&last].late >= Millis(30_000), "{late:?}");
    let rules = Rules { schedule_late: Some(Millis::HOUR), ..Rules::default() };
    assert!(sources.read(&rules, now).await.unwrap().schedules.is_empty());
}
