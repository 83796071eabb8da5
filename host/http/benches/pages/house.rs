//! Everything beside runs that a host with a long life has: plugins, schedules with their slots, duplicates, events that
//! nobody wanted, tokens, kept searches, an audit log, alerts, and a day of looks at how it went.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use hookbox_core::access::{
    AccessToken, AuditEntry, AuditOutcome, Holder, Role, SESSIONS_MAX, SecretHash, Session, TokenName, Via,
};
use hookbox_core::alert::{Book, Condition, Judged, Rule, Terms};
use hookbox_core::attempt::{Cost, Executed, Outcome};
use hookbox_core::clock::{Clock, Monotonic};
use hookbox_core::hold::{Held, Hold};
use hookbox_core::host_call::{CallKind, Calls};
use hookbox_core::id::Mint;
use hookbox_core::name::{HandlerName, HandlerRef, PluginName, ProviderName, ScheduleName};
use hookbox_core::plugin::{Digest, Handler, PluginInfo, Trigger};
use hookbox_core::policy::PolicyPatch;
use hookbox_core::queue::Room;
use hookbox_core::route::Pattern;
use hookbox_core::run::RunStatus;
use hookbox_core::schedule::{Origin, Rules, Schedule, ScheduleRow, When, decide};
use hookbox_core::secret::Secret;
use hookbox_core::spending::Spending;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{ID_WINDOW, Scheme, Verifier};
use hookbox_http::alerts::{Shown, Told};
use hookbox_http::providers::{LiveProvider, Providers};
use hookbox_http::trend::{LOOK_EVERY, LOOKS_MAX, Sources, Trend};
use hookbox_store::types::{AccessChange, DedupeMark, Firing, NewEvent, Search};
use hookbox_store::{PluginRow, Store};
use tokio::task::JoinSet;

use crate::fill::{BATCH, event, now};

const PLUGINS: u64 = 50;
/// Versions that each has had.
const VERSIONS: u8 = 10;
const SCHEDULES: u64 = 100;
/// Of each schedule.
const SLOTS: u64 = 20;
const PROVIDERS: u64 = 30;
const TOKENS: u64 = 50;
const AUDITED: u64 = 100_000;
const DUPLICATES: u64 = 1000;
const UNROUTED: u64 = 1000;
const SEARCHES: u64 = 50;
const HELD: u64 = 20;
const ALERTS: u64 = 50;

pub(crate) async fn furnish(store: &Arc<dyn Store>) {
    for number in 0..PLUGINS {
        store.put_plugin(plugin(number)).await.unwrap();
    }
    let mint = Mint::new([5; 32]);
    schedules(store, &mint).await;
    for number in 0..TOKENS {
        store.change_access(AccessChange::NewToken(token(number))).await.unwrap();
    }
    for number in 0..SESSIONS_MAX as u64 {
        let hash = SecretHash::of(&number.to_be_bytes());
        let holder = Holder::Token(token(number % TOKENS).name);
        let session = Session { hash, holder, created: now(), used: now() };
        store.change_access(AccessChange::NewSession(session)).await.unwrap();
    }
    for number in 0..SEARCHES {
        let search = Search { name: format!("search {number}"), query: "state=dead&error=needle".to_owned() };
        store.keep_search(search).await.unwrap();
    }
    for number in 0..HELD {
        let hold = Hold::new(now(), Some("it was too much"));
        store.hold(Held::Handler(handler(number, "welcome")), Some(hold)).await.unwrap();
    }
    audit(store).await;
    others(store, &mint).await;
}

fn name(number: u64) -> PluginName {
    PluginName::parse(&format!("plugin-{number:03}")).unwrap()
}

fn handler(plugin: u64, handler: &str) -> HandlerRef {
    format!("{}/{handler}", name(plugin)).parse().unwrap()
}

fn plugin(number: u64) -> PluginRow {
    let handler = |name: &str, trigger| Handler {
        name: HandlerName::parse(name).unwrap(),
        trigger,
        description: Some("Greets whoever signs up, and writes down when that was".to_owned()),
        policy: PolicyPatch { timeout: Some(Millis(5000)), ..PolicyPatch::default() },
        filter: None,
    };
    let topic = format!("sender-{:03}/user.*", number % PROVIDERS);
    let info = PluginInfo {
        name: name(number),
        version: "1.2.0".to_owned(),
        description: Some("Greets".to_owned()),
        handlers: vec![
            handler("welcome", Trigger::Events(vec![Pattern::parse(&topic).unwrap()])),
            handler("repair", Trigger::Manual),
        ],
    };
    let mut row = PluginRow::new(name(number));
    for version in 1..=VERSIONS {
        row.activated(Digest([version; 32]), info.clone(), now());
    }
    row
}

async fn schedules(store: &Arc<dyn Store>, mint: &Mint) {
    let began = Timestamp(now().0 - (SLOTS + 1) * Millis::MINUTE.0);
    let schedule = |number: u64| Schedule {
        name: ScheduleName::parse(&format!("schedule-{number:03}")).unwrap(),
        target: handler(number % PLUGINS, "repair"),
        when: When::every(Millis::MINUTE).unwrap(),
        payload: None,
        origin: Origin::Config,
        rules: Rules::default(),
    };
    store.declare_schedules((0..SCHEDULES).map(schedule).collect(), began).await.unwrap();
    for slot in 1..=SLOTS {
        let at = began.plus(Millis(slot * Millis::MINUTE.0));
        for row in store.schedules(None, usize::MAX).await.unwrap() {
            if let Some(firing) = firing(&**store, mint, &row, at) {
                store.fire(firing).await.unwrap();
            }
        }
    }
}

fn firing(store: &dyn Store, mint: &Mint, row: &ScheduleRow, now: Timestamp) -> Option<Firing> {
    let decision = decide(&row.slots().unwrap(), &row.schedule.rules, row.progress(), now)?;
    let job = |slot: &Timestamp| {
        let ids = (mint.job(now), mint.run(now));
        store.catalogue().new_firing(&row.schedule, *slot, ids, row.schedule.slot_key(*slot), now)
    };
    let (jobs, name) = (decision.fire.iter().map(job).collect(), row.schedule.name.clone());
    Some(Firing { schedule: name, basis: row.basis(), decision, jobs, room: Room(1_000_000), now })
}

fn token(number: u64) -> AccessToken {
    AccessToken {
        name: TokenName::parse(&format!("token-{number:03}")).unwrap(),
        hash: SecretHash::of(&number.to_be_bytes()),
        role: Role::Operator,
        created: now(),
        by: "loopback".to_owned(),
        used: Some(now()),
        expires: None,
    }
}

async fn audit(store: &Arc<dyn Store>) {
    let entry = |number: u64| AuditEntry {
        at: now(),
        who: format!("token-{:03}", number % TOKENS),
        via: Via::Token,
        role: Some(Role::Operator),
        address: "192.0.2.1".to_owned(),
        what: "replay run".to_owned(),
        object: format!("run_{number:026}"),
    };
    for batch in 0..AUDITED / BATCH + 1 {
        let mut written = JoinSet::new();
        for number in batch * BATCH..((batch + 1) * BATCH).min(AUDITED) {
            let (store, entry) = (store.clone(), entry(number));
            written.spawn(async move {
                let number = store.audit(entry).await.unwrap();
                let done = AuditOutcome { result: "done".to_owned(), detail: String::new() };
                store.audit_outcome(number, done).await.unwrap();
            });
        }
        written.join_all().await;
    }
}

/// Events that are no work: duplicates of each other, and those that nobody wanted.
async fn others(store: &Arc<dyn Store>, mint: &Mint) {
    let target = handler(0, "welcome");
    let until = now().plus(Millis(7 * Millis::DAY.0));
    let duplicate = |number: u64| {
        let mut hash = [1; 32];
        hash[..8].copy_from_slice(&(number / 2).to_be_bytes());
        NewEvent { dedupe: vec![DedupeMark { hash, until }], runs: Vec::new(), ..event(mint, &target) }
    };
    let unrouted = |_| NewEvent { runs: Vec::new(), ..event(mint, &target) };
    store.accept_all((0..2 * DUPLICATES).map(duplicate).collect()).await.unwrap();
    store.accept_all((0..UNROUTED).map(unrouted).collect()).await.unwrap();
}

/// Of every handler, that has done everything once.
pub(crate) fn spending() -> Spending {
    let spending = Spending::default();
    let calls = CallKind::ALL.into_iter().map(|kind| (kind, Calls { number: 3, bytes_given: 7, bytes_answered: 7 }));
    let cost = Cost { wall_us: 1500, cpu_us: 900, memory_peak_bytes: 1 << 20, calls: calls.collect() };
    let executed = Executed { cost, ..Executed::bare(Outcome::Completed { output: None }) };
    for number in 0..PLUGINS {
        spending.add(&handler(number, "welcome"), &executed);
        spending.finished(&handler(number, "welcome"), RunStatus::Succeeded);
    }
    spending
}

pub(crate) fn providers() -> Providers {
    let live = |number: u64| {
        let secret = Secret::new("whsec_aHVzaCBodXNoIGh1c2ggaHVzaCBodXNoIGh1c2g=").unwrap();
        let verifier = Verifier::new(Scheme::named("generic").unwrap(), &[secret], None).unwrap();
        let provider = LiveProvider {
            verifier: verifier.into(),
            secret_places: vec!["env SECRET".to_owned()],
            secrets_written: vec![Some(now())],
            public_url: None,
            dedupe: ID_WINDOW,
            body_bytes_max: None,
            allow_from: Vec::new(),
            allowance: None,
            schemas: Vec::new(),
        };
        (ProviderName::parse(&format!("sender-{number:03}")).unwrap(), provider)
    };
    Providers::new((0..PROVIDERS).map(live))
}

/// As many fire as have ended.
pub(crate) fn alerts() -> Shown {
    let terms = Terms { group: Millis(0), settle: Millis(0), usual: vec!["ops".to_owned()], ..Terms::default() };
    let wrong = |from: u64| Judged {
        wrong: (from..from + ALERTS)
            .map(|number| Condition {
                rule: Rule::HandlerFailing,
                about: handler(number, "welcome").to_string(),
                text: "half of its attempts failed within ten minutes".to_owned(),
            })
            .collect(),
        ..Judged::default()
    };
    let mut book = Book::default();
    for (minutes, from) in [(30, 0), (20, ALERTS), (10, ALERTS)] {
        book.step(wrong(from), &terms, Timestamp(now().0 - minutes * Millis::MINUTE.0));
    }
    let ops = Told { kind: "slack", delivered: 3, lost: 1, failure: Some("it answered with 500".to_owned()) };
    Shown { book, channels: [("ops".to_owned(), ops)].into() }
}

/// Of each look another moment.
#[derive(Default)]
struct Past(AtomicU64);

impl Clock for Past {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }

    fn monotonic(&self) -> Monotonic {
        Monotonic(self.0.load(Ordering::Relaxed))
    }
}

/// A whole day of looks.
pub(crate) async fn look_back(trend: &Trend, store: &Arc<dyn Store>) {
    let past = Arc::new(Past::default());
    let (tally, spending) = (Arc::default(), Arc::default());
    let sources = Sources { store: store.clone(), tally, spending, clock: past.clone() };
    for look in (0..LOOKS_MAX as u64).rev() {
        past.0.store(now().0 - look * LOOK_EVERY.0, Ordering::Relaxed);
        trend.take(&sources).await;
    }
}
