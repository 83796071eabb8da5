//! What may happen next, one thing at a time.

use hookbox_core::attempt::Outcome;
use hookbox_core::clock::Clock;
use hookbox_core::event::{Event, Job, JobOrigin, Source};
use hookbox_core::id::Mint;
use hookbox_core::name::HandlerRef;
use hookbox_core::policy::{PolicyPatch, Priority, Terms};
use hookbox_core::rate::Rate;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_engine::Settings;
use hookbox_store::Store;
use hookbox_store::types::*;

use crate::node::DOERS;
use crate::stage::Finish;
use crate::world::{PLUGINS, Shape, World};

const NODES_MAX: usize = 3;

impl World {
    /// One action, and then some of what follows from it.
    pub(crate) async fn step(&mut self) {
        match self.rng.below(100) {
            0..=69 => self.act(),
            70..=80 => self.let_pass().await,
            81 => self.release().await,
            82..=84 => self.stop_or_start().await,
            85 if self.rng.one_in(3) => self.crash().await,
            86 => self.jump(),
            87..=89 => self.act_together().await,
            _ => self.operate(),
        }
        self.time_out();
        match self.rng.below(4) {
            0 => self.settle().await,
            1 => {}
            _ => self.let_go_on().await,
        }
    }

    async fn let_go_on(&mut self) {
        for _ in 0..self.rng.below(6) {
            tokio::task::yield_now().await;
        }
    }

    /// What senders, engines and handlers do.
    fn act(&mut self) {
        match self.rng.below(70) {
            0..=9 => self.send(),
            10 => self.send_some(),
            11..=14 => self.enqueue(),
            15..=50 => self.tick(),
            51 => self.vanish_or_return(),
            _ => self.finish_one(),
        }
    }

    /// What operators do, and what changes around them.
    fn operate(&mut self) {
        match self.rng.below(26) {
            0 | 1 => self.change_settings(),
            2 | 3 => self.change_plugin(),
            4 => self.vanish_or_return(),
            5..=7 => self.declare(),
            8 | 9 => self.put_or_remove(),
            10..=13 => self.change_schedule(),
            14 => self.run_now(),
            15 => self.backfill(),
            16 | 17 => self.change_in_bulk(),
            18 | 19 => self.replay(),
            20 | 21 => self.cancel(),
            22 | 23 => self.hold_or_release(),
            _ => self.fail_or_recover(),
        }
    }

    /// Several changes are committed together; one time in some the disk has none of them.
    async fn act_together(&mut self) {
        let store = self.watch.store();
        store.gather();
        self.watch.group.begin();
        for _ in 0..self.rng.between(3, 12) {
            if self.rng.one_in(3) {
                self.operate()
            } else {
                self.act()
            }
            self.let_go_on().await;
        }
        let (changes, fails) = (self.watch.group.len(), self.rng.one_in(4));
        self.trace.note(format_args!("{changes} changes are committed together, which fails: {fails}"));
        if changes > 1 {
            let mut model = self.watch.model();
            model.tally.grouped += changes as u64;
            model.tally.groups_failed += u64::from(fails);
        }
        match fails {
            true => store.lose_gathered().unwrap(),
            false => store.commit_gathered(),
        }
        self.watch.group.committed();
        self.watch.group.seen().await;
    }

    fn send(&mut self) {
        let known = self.deliveries().len() as u64;
        match self.shape {
            Shape::Transactions => self.enqueue(),
            // One in three was sent before.
            Shape::Whole if known > 0 && self.rng.one_in(3) => {
                let again = self.rng.below(known);
                self.deliver(again);
            }
            Shape::Whole => self.deliver(known),
        }
    }

    /// Some events that come in one request: two of them may be the same.
    fn send_some(&mut self) {
        let known = self.deliveries().len() as u64;
        let numbers: Vec<u64> = (0..self.rng.between(2, 4)).map(|_| self.rng.below(known + 3)).collect();
        let events = numbers.iter().map(|number| self.event(*number)).collect();
        let ingress = self.ingress.clone();
        tokio::spawn(async move { ingress.accept_all(events).await });
    }

    pub(crate) fn event(&mut self, number: u64) -> NewEvent {
        let now = self.clock.now();
        let event_type = ["order", "refund", "order", "order"][(number % 4) as usize];
        let namespace = if number % 9 == 8 { "bank" } else { "shop" };
        let mint = self.shared.mint.clone();
        let event = Event {
            id: mint.event(now),
            source: Source::Provider(namespace.parse().unwrap()),
            namespace: namespace.into(),
            event_type: event_type.into(),
            subject: None,
            time: now,
            content_type: "application/json".into(),
            data: format!("{{\"k\":{}}}", number % 3).into_bytes(),
            attributes: vec![],
            hops: 0,
        };
        let targets = self.ingress.catalogue().reach(&event);
        let runs = runs_of(&mint, targets, now);
        let mut hash = [0; 32];
        hash[..8].copy_from_slice(&number.to_be_bytes());
        let until = now.plus(if number.is_multiple_of(2) { Millis::DAY } else { Millis(5 * 60_000) });
        let mut fingerprint = [0; 16];
        fingerprint[0] = self.rng.below(2) as u8;
        NewEvent { event, dedupe: vec![DedupeMark { hash, until }], fingerprint, runs }
    }

    fn enqueue(&mut self) {
        let (mint, now) = (self.shared.mint.clone(), self.clock.now());
        let plugin = match self.shape {
            Shape::Transactions => "alpha",
            Shape::Whole => PLUGINS[self.rng.below(3) as usize],
        };
        let handler = if self.rng.one_in(2) { "work" } else { "tick" };
        let target = crate::handler(plugin, handler);
        let job = Job {
            id: mint.job(now),
            origin: JobOrigin::Operator,
            scheduled_at: now,
            content_type: "application/json".into(),
            data: format!("{{\"k\":{}}}", self.rng.below(3)).into_bytes(),
            hops: 0,
            trace: None,
        };
        let mut new = self.ingress.catalogue().new_job(job, mint.run(now), target, now);
        if self.rng.one_in(4) {
            new.due = now.plus(Millis(self.rng.below(120_000)));
        }
        if self.rng.one_in(5) {
            new.run.terms.unique = Some(format!("u{}", self.rng.below(2)));
        }
        let ingress = self.ingress.clone();
        tokio::spawn(async move {
            // An operator who is told that it failed asks again or not.
            let _ = ingress.enqueue(new).await;
        });
    }

    fn tick(&mut self) {
        // Claims are what most of the others wait for.
        let doer = [0, 0, 0, 1, 1, 2, 2, 3, 4][self.rng.below(9) as usize];
        debug_assert!(doer < DOERS);
        if let Some(node) = self.rng.pick(&self.nodes) {
            node.tick(doer);
        }
    }

    fn finish_one(&mut self) {
        let Some(id) = self.rng.pick(&self.shared.stage.waiting()).copied() else { return };
        let finish = self.finish();
        self.shared.stage.finish(id, finish);
    }

    fn finish(&mut self) -> Finish {
        let message = || "the script says so".to_owned();
        Finish::With(match self.rng.below(20) {
            0..=10 => Outcome::Completed { output: None },
            11 => Outcome::Skipped { reason: message() },
            12..=14 => {
                let retry_after = self.rng.one_in(3).then(|| Millis(self.rng.below(100_000)));
                Outcome::Retryable { message: message(), retry_after }
            }
            15 => Outcome::Permanent { message: message() },
            16 => Outcome::Trapped { message: message() },
            17 => Outcome::OutOfMemory { limit: 1 << 26 },
            18 => return Finish::Gone,
            _ => return Finish::Broken,
        })
    }

    /// The sandbox stops what takes too long, sooner or later.
    fn time_out(&mut self) {
        for (id, limit) in self.shared.stage.overdue() {
            if !self.rng.one_in(4) {
                self.shared.stage.finish(id, Finish::With(Outcome::TimedOut { limit }));
            }
        }
    }

    async fn let_pass(&mut self) {
        let span = match self.rng.below(20) {
            0 => self.rng.between(60_000, 1_500_000),
            1..=4 => self.rng.between(5000, 40_000),
            _ => self.rng.between(1, 3000),
        };
        self.trace.note(format_args!("{span} ms go by"));
        self.pass(Millis(span)).await;
    }

    fn change_settings(&mut self) {
        let mut settings = Settings::default();
        for plugin in PLUGINS {
            let policy = PolicyPatch {
                timeout: Some(Millis(self.rng.between(1000, 60_000))),
                attempts: Some(self.rng.between(1, 6) as u32),
                backoff: Some(Millis(self.rng.below(10_000))),
                priority: self.rng.pick(&Priority::ALL).copied(),
                concurrency: self.rng.one_in(3).then(|| self.rng.between(1, 3) as u32),
                rate: self.rng.one_in(5).then(|| "30/m".parse::<Rate>().unwrap()),
                ..PolicyPatch::default()
            };
            settings.plugins.insert(plugin.parse().unwrap(), policy);
            if self.rng.one_in(10) {
                settings.kv_bytes.insert(plugin.parse().unwrap(), 6);
            }
        }
        settings.retention.succeeded_for = Millis(self.rng.between(60_000, 3_600_000));
        settings.retention.dead_for = settings.retention.succeeded_for;
        settings.retention.succeeded_max = self.rng.between(5, 100);
        settings.retention.events_for = Millis(self.rng.between(60_000, 3_600_000));
        self.trace.note(format_args!("the settings change"));
        self.shared.settings.store(settings.into());
    }

    fn change_plugin(&mut self) {
        let name = PLUGINS[self.rng.below(3) as usize];
        let row = self.plugin(name);
        let ingress = self.ingress.clone();
        tokio::spawn(async move { ingress.put_plugin(row).await });
    }

    fn fail_or_recover(&mut self) {
        let is_down = !self.faults.is_down() && self.rng.one_in(2);
        self.trace.note(format_args!("the disk fails: {is_down}"));
        self.faults.set_down(is_down);
    }

    fn vanish_or_return(&mut self) {
        if let Some(handler) = self.rng.pick(&self.handlers).cloned() {
            let is_there = !self.shared.stage.is_there(&handler);
            self.trace.note(format_args!("{handler} is there: {is_there}"));
            self.shared.stage.put(handler, is_there);
        }
    }

    fn jump(&mut self) {
        let span = self.rng.between(1, 7_200_000) as i64;
        let span = if self.rng.one_in(2) { span } else { -span };
        // The simulation begins at a time that nothing comes before.
        let span = span.max(-self.clock.jumped_ms());
        self.trace.note(format_args!("the clock jumps by {span} ms"));
        self.clock.jump(span);
    }

    async fn stop_or_start(&mut self) {
        let at = self.rng.below(NODES_MAX as u64) as usize;
        if at >= self.nodes.len() {
            return self.add_node().await;
        }
        let node = self.nodes.swap_remove(at);
        if self.rng.one_in(2) {
            node.crash();
        } else {
            let grace = Millis(self.rng.below(30_000));
            self.draining.push(node.store.clone());
            tokio::spawn(node.drain(grace));
        }
    }
}

pub(crate) fn runs_of(mint: &Mint, targets: Vec<(HandlerRef, Terms)>, now: Timestamp) -> Vec<NewRun> {
    let targets = targets.into_iter();
    targets.map(|(target, terms)| NewRun { id: mint.run(now), target, dead: None, made_by: None, terms }).collect()
}
