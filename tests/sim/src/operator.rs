//! What operators do: to schedules, to many runs at once, and to single ones.

use hookbox_core::clock::Clock;
use hookbox_core::gate::{Gate, Order};
use hookbox_core::hold::{Held, Hold};
use hookbox_core::id::RunId;
use hookbox_core::name::ScheduleName;
use hookbox_core::run::{CancelCause, RunPolicy, RunStatus};
use hookbox_core::schedule::{Missed, Origin, Overlap, Pause, Rules, Schedule, When};
use hookbox_core::time::{Millis, Timestamp};
use hookbox_store::types::*;
use hookbox_store::{Store, StoreError};

use crate::almanac;
use crate::world::{PLUGINS, World};

pub(crate) const NAMES: [&str; 5] = ["one", "two", "three", "four", "five"];
/// Runs that one bulk change is done to: replays of replays would fill the queue.
const BULK_MAX: usize = 8;

impl World {
    /// Declares all schedules of plugins and of hooks.yaml anew.
    pub(crate) fn declare(&mut self) {
        let mut declared = Vec::new();
        for name in NAMES {
            for origin in [Origin::Config, Origin::Plugin] {
                if self.rng.one_in(3) {
                    declared.push(self.schedule(name, origin));
                }
            }
        }
        let (ingress, now) = (self.ingress.clone(), self.clock.now());
        tokio::spawn(async move { ingress.declare_schedules(declared, now).await });
    }

    pub(crate) fn put_or_remove(&mut self) {
        let name = self.name();
        let (ingress, now) = (self.ingress.clone(), self.clock.now());
        if self.rng.one_in(3) {
            tokio::spawn(async move { ingress.remove_schedule(&name, now).await });
            return;
        }
        // One in two is what is there, with other rules.
        let there = self.watch.model().schedules.get(&name).and_then(|seen| seen.schedule()).cloned();
        let mut schedule = self.schedule(name.as_str(), Origin::Operator);
        if let Some(there) = there.filter(|_| self.rng.one_in(2)) {
            schedule.when = there.when;
        }
        tokio::spawn(async move { ingress.put_schedule(schedule, now).await });
    }

    fn name(&mut self) -> ScheduleName {
        NAMES[self.rng.below(NAMES.len() as u64) as usize].parse().unwrap()
    }

    fn schedule(&mut self, name: &str, origin: Origin) -> Schedule {
        Schedule {
            name: name.parse().unwrap(),
            target: crate::handler(PLUGINS[self.rng.below(3) as usize], "tick"),
            when: self.when(),
            payload: None,
            origin,
            rules: self.rules(),
        }
    }

    fn when(&mut self) -> When {
        match self.rng.below(7) {
            0 => When::Every { period: Millis::SECOND, phase: None },
            1 => When::Every { period: Millis(45_000), phase: self.rng.one_in(2).then_some(Millis(7000)) },
            2 => When::Once { at: self.in_a_while() },
            _ => {
                // Two in three where the clocks are about to change.
                let near = almanac::zone_of_change_near(self.clock.now()).filter(|_| !self.rng.one_in(3));
                let rules: Vec<When> = almanac::rules(near).map(almanac::Rule::when).collect();
                self.rng.pick(&rules).cloned().unwrap_or(When::Once { at: self.clock.now() })
            }
        }
    }

    fn rules(&mut self) -> Rules {
        let overlaps =
            [Overlap::Skip, Overlap::BufferOne, Overlap::BufferAll(3), Overlap::Allow, Overlap::CancelRunning];
        let missed = [Missed::None, Missed::Latest, Missed::All(5), Missed::All(40)];
        let start = self.rng.one_in(6).then(|| self.in_a_while());
        let end = self.rng.one_in(6).then(|| self.in_a_while());
        Rules {
            start,
            // An end that is not after the start is refused where it is written.
            end: end.filter(|end| start.is_none_or(|start| start < *end)),
            overlap: overlaps[self.rng.below(5) as usize],
            missed: missed[self.rng.below(4) as usize],
            missed_within: self.rng.one_in(4).then(|| Millis(self.rng.below(30 * Millis::MINUTE.0))),
            count: self.rng.one_in(6).then(|| self.rng.between(1, 20)),
            jitter: Millis(if self.rng.one_in(4) { 5000 } else { 0 }),
            pause_after: self.rng.one_in(3).then(|| self.rng.between(1, 2) as u32),
            policy: RunPolicy { attempts: self.rng.one_in(3).then_some(1), ..RunPolicy::default() },
        }
    }

    /// Mostly to come, within some minutes.
    fn in_a_while(&mut self) -> Timestamp {
        self.clock.now().minus(Millis::MINUTE).plus(Millis(self.rng.below(20 * Millis::MINUTE.0)))
    }

    pub(crate) fn change_schedule(&mut self) {
        let (name, now) = (self.name(), self.clock.now());
        let change = match self.rng.below(6) {
            0 | 1 => ScheduleChange::Pause(Pause::new(now, None)),
            2..=4 => ScheduleChange::Resume,
            _ => ScheduleChange::Reset,
        };
        let ingress = self.ingress.clone();
        tokio::spawn(async move { ingress.change_schedule(&name, change, now).await });
    }

    /// Starts a run of a schedule by hand.
    pub(crate) fn run_now(&mut self) {
        let (name, now, mint) = (self.name(), self.clock.now(), self.shared.mint.clone());
        let (ingress, watch) = (self.ingress.clone(), self.watch.clone());
        tokio::spawn(async move {
            let schedule = ingress.schedule(&name).await?.schedule;
            let (job, run) = (mint.job(now), mint.run(now));
            let new = ingress.catalogue().new_extra(&schedule, now, (job, run), format!("{name}@{run}"), now);
            ingress.enqueue(new).await?;
            watch.model().tally.run_by_hand += 1;
            Ok::<_, StoreError>(())
        });
    }

    /// Makes a run for each slot of a range that is past, some in each commit; after a failure once more from the first.
    pub(crate) fn backfill(&mut self) {
        let (name, now, mint) = (self.name(), self.clock.now(), self.shared.mint.clone());
        let to = now.minus(Millis(self.rng.below(5 * Millis::MINUTE.0)));
        let (from, batch) = (to.minus(Millis(self.rng.below(Millis::HOUR.0))), self.rng.between(1, 4) as usize);
        let ingress = self.ingress.clone();
        tokio::spawn(async move {
            let row = ingress.schedule(&name).await?;
            let schedule = &row.schedule;
            let slots = almanac::slots(&schedule.when, &schedule.rules, row.anchor, from, to);
            let slots: Vec<Timestamp> = slots.take(10).collect();
            for _ in 0..2 {
                for slots in slots.chunks(batch) {
                    let job = |slot: &Timestamp| {
                        let (key, job) = schedule.backfill_key(*slot);
                        let mut new = ingress.catalogue().new_extra(schedule, *slot, (job, mint.run(now)), key, now);
                        new.run.terms.gate = new.run.terms.gate.take().or_else(|| schedule.backfill_gate());
                        new
                    };
                    if ingress.enqueue_all(slots.iter().map(job).collect(), now).await.is_err() {
                        break;
                    }
                }
            }
            Ok::<_, StoreError>(())
        });
    }

    /// Cancels or replays what a filter finds, a page at a time and the oldest first.
    pub(crate) fn change_in_bulk(&mut self) {
        let mut filter = RunFilter::default();
        match self.rng.below(3) {
            0 => filter.plugin = vec![PLUGINS[self.rng.below(3) as usize].parse().unwrap()],
            1 => filter.schedule = vec![self.name()],
            _ => filter.handler.extend(self.rng.pick(&self.handlers).map(|target| target.handler.clone())),
        }
        let again = match self.rng.below(4) {
            0 => Some(Again::Yes),
            1 | 2 => Some(Again::No),
            _ => None,
        };
        match again {
            Some(_) => {
                filter.status = [RunStatus::Dead, RunStatus::Cancelled][..=self.rng.below(2) as usize].to_vec();
            }
            None => filter.alive = true,
        }
        let (now, mint, limit) = (self.clock.now(), self.shared.mint.clone(), self.rng.between(1, 30) as usize);
        let (ingress, watch) = (self.ingress.clone(), self.watch.clone());
        tokio::spawn(async move {
            let (mut before, mut found) = (None, Vec::new());
            while found.len() < BULK_MAX {
                let page = ingress.runs(PageRequest { before, limit }, filter.clone()).await?;
                found.extend(page.runs.iter().map(|run| run.id));
                before = page.next;
                if before.is_none() {
                    break;
                }
            }
            found.truncate(BULK_MAX);
            found.reverse();
            match again {
                Some(again) => {
                    let runs = found.into_iter().map(|run| (run, mint.run(now))).collect();
                    ingress.replay_all(runs, again, now).await?;
                }
                None => {
                    let cancelled = ingress.cancel(found, Cancellable::Alive, CancelCause::Operator, now).await?;
                    watch.model().tally.cancelled_in_bulk += cancelled.len() as u64;
                }
            }
            Ok::<_, StoreError>(())
        });
    }

    /// A run that has ended, as it was or with another payload. One in some has not ended: that is refused.
    pub(crate) fn replay(&mut self) {
        let status = match self.rng.below(8) {
            0 => RunStatus::Succeeded,
            1 => RunStatus::Cancelled,
            2 => RunStatus::Pending,
            _ => RunStatus::Dead,
        };
        let Some(old) = self.rng.pick(&self.watch.model().with_status(status)).copied() else { return };
        let (ingress, now) = (self.ingress.clone(), self.clock.now());
        let mut replay = Replay::new(old, self.shared.mint.run(now));
        if self.rng.one_in(3) {
            let key = self.rng.below(3);
            let gate = self.rng.one_in(2).then(|| Gate::new(&key.to_string(), Order::Accepted));
            let data = format!("{{\"k\":{key}}}").into_bytes();
            replay.edited = Some(Edited { content_type: "application/json".to_owned(), data, gate });
        }
        tokio::spawn(async move { ingress.replay(replay, now).await });
    }

    /// One or a few runs, waiting or executed; one in some has ended.
    pub(crate) fn cancel(&mut self) {
        let mut some = self.watch.model().with_status(RunStatus::Pending);
        some.extend(self.watch.model().with_status(RunStatus::Leased));
        some.extend(self.watch.model().with_status(RunStatus::Dead).first());
        let runs: Vec<RunId> = (0..self.rng.between(1, 3)).filter_map(|_| self.rng.pick(&some).copied()).collect();
        let which = [Cancellable::Alive, Cancellable::Alive, Cancellable::Pending, Cancellable::Leased];
        let which = which[self.rng.below(4) as usize];
        let (ingress, now) = (self.ingress.clone(), self.clock.now());
        tokio::spawn(async move { ingress.cancel(runs, which, CancelCause::Operator, now).await });
    }

    pub(crate) fn hold_or_release(&mut self) {
        let held = match self.rng.below(4) {
            0 => Held::Host,
            1 => Held::Plugin(PLUGINS[self.rng.below(3) as usize].parse().unwrap()),
            _ => match self.rng.pick(&self.handlers) {
                Some(handler) => Held::Handler(handler.clone()),
                None => return,
            },
        };
        let hold = self.rng.one_in(2).then(|| Hold::new(self.clock.now(), None));
        let ingress = self.ingress.clone();
        tokio::spawn(async move { ingress.hold(held, hold).await });
    }

    /// A delivery that was kept out as a duplicate is an event after all.
    pub(crate) async fn release(&mut self) {
        let page = PageRequest { before: None, limit: 10 };
        let Ok(suppressed) = self.watch.store().suppressed(page).await else { return };
        let Some(one) = self.rng.pick(&suppressed.items) else { return };
        let (now, mint) = (self.clock.now(), self.shared.mint.clone());
        let targets = self.ingress.catalogue().reach(&one.event);
        let runs = crate::actions::runs_of(&mint, targets, now);
        let (ingress, id) = (self.ingress.clone(), one.event.id);
        tokio::spawn(async move { ingress.release(id, runs, now).await });
    }
}
