//! A host that is killed at random moments, again and again, while it is under load: nothing that was acknowledged is
//! lost, no slot of a schedule is lost or doubled, and each run is counted once.
//!
//! `HOOKBOX_KILLS` says how many kills, `HOOKBOX_KILLS_SEED` another seed.

mod schedules;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Host, Project, number, shop, until};
use crate::random::{Chance, Random};
use crate::schedules::{PERIOD, TICK, count, first_slot, millis};
use schedules::{Backfilled, Made};

const KILLS: u64 = 8;
const SEED: u64 = 1;
const SENDERS: u32 = 3;
/// A host that is ready is killed within so many milliseconds.
const LIFE_MS: usize = 1500;
/// One that is starting, too: so often, in percent.
const STARTS_CUT_PERCENT: usize = 20;
const START_MS: usize = 300;
/// One that is ready may be killed so soon after a backfill was asked for: so often, in percent.
const BACKFILLS_CUT_PERCENT: usize = 30;
const BACKFILL_MS: usize = 60;
/// Between two webhooks of a sender: the queue should be short enough to be finished in the end.
const PAUSE: Duration = Duration::from_millis(10);

/// The ids that were acknowledged, and how many webhooks were sent again because of a kill.
#[derive(Default)]
struct Sent {
    acknowledged: Vec<String>,
    again: u32,
}

/// Sends to whatever host is there until told to stop. What got no answer is sent again, as it was.
fn send(sender: u32, host: &RwLock<Option<Host<'_>>>, stop: &AtomicBool) -> Sent {
    let mut sent = Sent::default();
    for number in 0.. {
        let id = format!("{sender}-{number}");
        let webhook = match number % 5 {
            0 => shop("chain", &id, json!({})),
            1 => shop("flaky", &id, json!({ "padding": "x".repeat(5000) })),
            _ => shop("count", &id, json!({})),
        };
        loop {
            if stop.load(Ordering::Relaxed) {
                return sent;
            }
            thread::sleep(PAUSE);
            let answer = match &*host.read().unwrap() {
                Some(host) => host.try_post(&webhook),
                None => continue,
            };
            match answer {
                Ok(answer) if answer.status == 202 || answer.status == 200 => {
                    sent.acknowledged.push(answer.str("id").to_owned());
                    break;
                }
                Ok(answer) => assert_eq!(answer.status, 503, "{answer:?}"),
                Err(_) => sent.again += 1,
            }
        }
    }
    sent
}

/// Starts hosts and kills them; the last one stays.
fn kill_again_and_again<'a>(
    project: &'a Project,
    host: &RwLock<Option<Host<'a>>>,
    made: &Made,
    kills: u64,
    random: &mut Random,
) {
    for kill in 0..kills {
        if random.percent(STARTS_CUT_PERCENT) == Chance::Hit {
            let starting = Host::begin(project, project.command(&Host::arguments("serve")));
            thread::sleep(Duration::from_millis(random.below(START_MS) as u64));
            starting.kill();
        } else {
            *host.write().unwrap() = Some(project.serve());
            let life = if random.percent(BACKFILLS_CUT_PERCENT) == Chance::Hit {
                made.await_backfill();
                random.below(BACKFILL_MS)
            } else {
                random.below(LIFE_MS)
            };
            thread::sleep(Duration::from_millis(life as u64));
            // While senders wait for its answers: they hold it as long.
            let process = host.read().unwrap().as_ref().map(Host::id).unwrap();
            kill_process(process);
            host.write().unwrap().take().unwrap().kill();
        }
        if kill % 50 == 49 {
            eprintln!("{} kills", kill + 1);
        }
    }
    *host.write().unwrap() = Some(project.serve());
}

fn kill_process(id: u32) {
    use rustix::process::{Pid, Signal};
    rustix::process::kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn kills_at_random_moments_lose_nothing_and_double_nothing() {
    let (kills, seed) = (number("HOOKBOX_KILLS", KILLS), number("HOOKBOX_KILLS_SEED", SEED));
    eprintln!("{kills} kills, seed {seed}");
    let project = Project::with(&["steps", "ticker"]);
    let first = project.serve();
    let anchor = first_slot(&until("it ticks", || {
        let tick = first.get(TICK);
        (count(&tick, "fired") > 0).then_some(tick)
    }));
    let made = Made::on(&first);
    first.kill();

    let (host, stop, all) = (RwLock::new(None), AtomicBool::new(false), Mutex::new(Sent::default()));
    let backfilled = Mutex::new(Backfilled::default());
    thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (host, stop, all) = (&host, &stop, &all);
            scope.spawn(move || {
                let sent = send(sender, host, stop);
                let mut all = all.lock().unwrap();
                all.acknowledged.extend(sent.acknowledged);
                all.again += sent.again;
            });
        }
        scope.spawn(|| *backfilled.lock().unwrap() = made.backfill(&host, &stop));
        // Senders end whatever happens.
        let _stop = StopAtEnd(&stop);
        kill_again_and_again(&project, &host, &made, kills, &mut Random::new(seed, 0));
    });
    let (host, sent) = (host.into_inner().unwrap().unwrap(), all.into_inner().unwrap());
    made.pause(&host);
    examine(&host, anchor, &sent);
    made.examine(&host, &backfilled.into_inner().unwrap());
    host.stop();
    project.write("acks", sent.acknowledged.join("\n"));
    project.run(&["doctor", "--data", "data", "--has", "acks"]).text();
}

struct StopAtEnd<'a>(&'a AtomicBool);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn examine(host: &Host<'_>, anchor: u64, sent: &Sent) {
    // What a kill cut off counts as an attempt: some runs have failed for good by kills alone, and say so.
    host.idle();
    let earlier = host.get(TICK);
    let runs = host.all("runs");
    let of_handler = |handler: &str| runs.iter().filter(|run| run["handler"] == handler).collect::<Vec<_>>();
    let mut dead = 0;
    let by_event: HashMap<&str, &Value> = runs.iter().filter_map(|run| Some((run["event"].as_str()?, run))).collect();
    for event in &sent.acknowledged {
        let run = by_event.get(event.as_str()).unwrap_or_else(|| panic!("{event} is lost"));
        let told = host.get(&format!("runs/{}", run["id"].as_str().unwrap()));
        let succeeded = told["attempts"].as_array().unwrap().iter().filter(|a| a["outcome"] == "completed").count();
        match run["state"].as_str().unwrap() {
            "succeeded" => assert_eq!(succeeded, 1, "{told:#}"),
            "dead" => {
                assert_eq!((succeeded, was_cut(&told)), (0, true), "{told:#}");
                dead += 1;
            }
            other => panic!("{other}: {told:#}"),
        }
    }
    let succeeded = of_handler("count").iter().filter(|run| run["state"] == "succeeded").count();
    let total = host.follow(&shop("total", "sum", json!({})));
    assert_eq!(total["result"]["data"], succeeded, "each run that succeeded counted once");
    // What a run that succeeded emitted and enqueued is there once.
    let chains = of_handler("chain").iter().filter(|run| run["state"] == "succeeded").count();
    assert_eq!((of_handler("chained").len(), of_handler("link").len()), (chains, chains));

    let ticks = slots(&runs, host);
    let tick = host.get(TICK);
    assert_eq!(first_slot(&tick), anchor, "each slot has exactly one verdict: {tick:#}");
    let distinct: BTreeSet<u64> = ticks.iter().copied().collect();
    assert_eq!(distinct.len(), ticks.len(), "no slot ran twice: {ticks:?}");
    assert!(ticks.iter().all(|slot| *slot >= anchor && (slot - anchor).is_multiple_of(PERIOD)), "{ticks:?}");
    let (at_least, at_most) = (count(&earlier, "fired"), count(&tick, "fired"));
    assert!((at_least..=at_most).contains(&(ticks.len() as u64)), "{} runs, {at_most} slots fired", ticks.len());
    eprintln!(
        "{} acknowledged, {} sent again, {} runs, {dead} dead by kills alone, {succeeded} counted; slots: {} fired, {} missed, {} skipped",
        sent.acknowledged.len(),
        sent.again,
        runs.len(),
        at_most,
        count(&tick, "missed"),
        count(&tick, "overlap_skipped"),
    );
}

/// The slots of the runs that were listed.
fn slots(runs: &[Value], host: &Host<'_>) -> Vec<u64> {
    let ticks = runs.iter().filter(|run| run["handler"] == "tick");
    ticks
        .map(|run| {
            let run = host.get(&format!("runs/{}", run["id"].as_str().unwrap()));
            millis(&run["job_detail"]["scheduled_at"])
        })
        .collect()
}

fn was_cut(run: &Value) -> bool {
    run["attempts"].as_array().unwrap().iter().any(|attempt| attempt["outcome"] == "lost")
}
