//! From readings to what is wrong at this moment.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::growth::Growth;
use super::rules::{Rule, Rules, Share};
use crate::name::{HandlerRef, PluginName, ProviderName, ScheduleName};
use crate::schedule::Reason;
use crate::time::{Millis, Timestamp};

/// Readings that are kept: with more, every other one is let go.
const READINGS_MAX: usize = 512;

/// The numbers of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reading {
    /// Since the start, by handler.
    pub handlers: BTreeMap<HandlerRef, Tries>,
    /// Since the start.
    pub providers: BTreeMap<ProviderName, Sender>,
    /// When something was last taken, since the start, of those that are watched for being silent: by the name that the
    /// rule has.
    pub heard: BTreeMap<ProviderName, Timestamp>,
    /// Dead letters that are kept.
    pub dead: u64,
    /// How long a run waits that could begin.
    pub oldest: Millis,
    /// Those with a slot that is due for longer than the rule lets, and those that are watched for being quiet.
    pub schedules: BTreeMap<ScheduleName, Schedule>,
    /// Those that somebody should look at, and why.
    pub attention: BTreeMap<ScheduleName, Reason>,
    /// Percent of the disk that is free.
    pub disk_free: Option<u64>,
    /// Rollbacks by the host, since the store was made.
    pub rollbacks: BTreeMap<PluginName, u64>,
}

/// Attempts that ended, and those of them that failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tries {
    pub ended: u64,
    pub failed: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sender {
    pub accepted: u64,
    pub refused: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Schedule {
    /// How late its next slot is by now, or its last one was that has just fired.
    pub late: Millis,
    /// It last fired, or was made.
    pub last: Option<Timestamp>,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    pub rule: Rule,
    /// What it is about: a handler, a provider, a schedule, a plugin; empty where it is the host.
    pub about: String,
    /// For people: what is wrong, and the command that tells more.
    pub text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judged {
    pub wrong: Vec<Condition>,
    /// Rules that too little is known for: after a start, what they told before is neither right nor wrong.
    pub open: BTreeSet<Rule>,
}

/// What must be known over a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Seen {
    /// When each provider that is watched was last heard of, or first watched.
    pub providers: BTreeMap<ProviderName, Timestamp>,
    /// Rollbacks of each plugin, and when the last one was seen.
    pub rollbacks: BTreeMap<PluginName, (u64, Option<Timestamp>)>,
    /// Dead letters: what is buried before the first look of a start, or after the last one of a stop, has come, too.
    #[serde(default)]
    pub dead: Growth,
}

/// The latest readings.
#[derive(Debug, Default)]
pub struct Watch {
    readings: VecDeque<(Timestamp, Arc<Reading>)>,
}

impl Watch {
    pub fn judge(&mut self, reading: Reading, rules: &Rules, seen: &mut Seen, now: Timestamp) -> Judged {
        self.keep(reading, rules.longest(), now);
        let Some((_, latest)) = self.readings.back().cloned() else { return Judged::default() };
        let mut judged = Judged::default();
        self.handlers(&latest, rules, now, &mut judged);
        self.refusals(&latest, rules, now, &mut judged);
        dead(&latest, rules, seen, now, &mut judged);
        queue(&latest, rules, &mut judged);
        schedules(&latest, rules, now, &mut judged);
        attention(&latest, rules, &mut judged);
        silent(&latest, rules, seen, now, &mut judged);
        disk(&latest, rules, &mut judged);
        rolled_back(&latest, rules, seen, now, &mut judged);
        judged
    }

    fn keep(&mut self, reading: Reading, longest: Millis, now: Timestamp) {
        // The clock was set back: what was read is of another time.
        self.readings.retain(|(at, _)| *at <= now);
        self.readings.push_back((now, Arc::new(reading)));
        let old = now.minus(longest);
        // One that is older than all windows stays: what happened since is counted from it.
        while self.readings.get(1).is_some_and(|(at, _)| *at <= old) {
            self.readings.pop_front();
        }
        if self.readings.len() > READINGS_MAX {
            let mut nth = 0;
            let last = self.readings.len();
            self.readings.retain(|_| {
                nth += 1;
                nth % 2 == 1 || nth == last
            });
        }
    }

    /// What was read when the window began, and whether there was anything: else the first reading there is.
    fn before(&self, within: Millis, now: Timestamp) -> Option<(&Reading, bool)> {
        let begin = now.minus(within);
        let older = self.readings.iter().rev().find(|(at, _)| *at <= begin);
        let first = self.readings.front();
        older.map(|(_, reading)| (&**reading, true)).or_else(|| first.map(|(_, reading)| (&**reading, false)))
    }

    fn handlers(&self, latest: &Reading, rules: &Rules, now: Timestamp, judged: &mut Judged) {
        let Some(rule @ Share { within, .. }) = rules.handler_failing else { return };
        let Some((before, is_whole)) = self.before(within, now) else { return };
        judged.known(Rule::HandlerFailing, is_whole);
        for (handler, tries) in &latest.handlers {
            let earlier = before.handlers.get(handler).copied().unwrap_or_default();
            let (ended, failed) = (since(tries.ended, earlier.ended), since(tries.failed, earlier.failed));
            if is_over(rule, failed, ended) {
                let HandlerRef { plugin, handler: name } = handler;
                // Those that are tried again have failed, too, in whatever state they are.
                let text = format!(
                    "{handler} fails: {failed} of {ended} attempts within {within}. hookbox runs list --plugin {plugin} --handler {name}"
                );
                judged.wrong(Rule::HandlerFailing, &handler.to_string(), text);
            }
        }
    }

    fn refusals(&self, latest: &Reading, rules: &Rules, now: Timestamp, judged: &mut Judged) {
        let Some(rule @ Share { within, .. }) = rules.provider_refusals else { return };
        let Some((before, is_whole)) = self.before(within, now) else { return };
        judged.known(Rule::ProviderRefusals, is_whole);
        for (provider, sender) in &latest.providers {
            let earlier = before.providers.get(provider).copied().unwrap_or_default();
            let refused = since(sender.refused, earlier.refused);
            let came = refused + since(sender.accepted, earlier.accepted);
            if is_over(rule, refused, came) {
                let text = format!(
                    "{refused} of {came} webhooks of {provider} were refused within {within}. hookbox providers live {provider}"
                );
                judged.wrong(Rule::ProviderRefusals, provider.as_str(), text);
            }
        }
    }
}

impl Judged {
    fn wrong(&mut self, rule: Rule, about: &str, text: String) {
        self.wrong.push(Condition { rule, about: about.to_owned(), text });
    }

    fn known(&mut self, rule: Rule, is_whole: bool) {
        if !is_whole {
            self.open.insert(rule);
        }
    }
}

/// A counter that begins anew counts from there.
fn since(now: u64, before: u64) -> u64 {
    if now >= before { now - before } else { now }
}

fn is_over(Share { percent, over, .. }: Share, part: u64, whole: u64) -> bool {
    whole >= over && part > 0 && part.saturating_mul(100) >= whole.saturating_mul(percent)
}

fn dead(latest: &Reading, rules: &Rules, seen: &mut Seen, now: Timestamp, judged: &mut Judged) {
    let Some((more, within)) = rules.dead_letters else {
        seen.dead = Growth::default();
        return;
    };
    let (grown, is_whole) = seen.dead.grown(latest.dead, within, now);
    judged.known(Rule::DeadLetters, is_whole);
    if grown >= more {
        let text = format!(
            "{grown} more dead letters within {within}, {} in all. hookbox runs list --state dead",
            latest.dead
        );
        judged.wrong(Rule::DeadLetters, "", text);
    }
}

fn queue(latest: &Reading, rules: &Rules, judged: &mut Judged) {
    if let Some(most) = rules.queue_age.filter(|most| latest.oldest >= *most) {
        let waits = Millis(latest.oldest.0 / 1000 * 1000);
        let text = format!("a run has waited for {waits}, and {most} is allowed. hookbox runs list --state pending");
        judged.wrong(Rule::QueueAge, "", text);
    }
}

fn schedules(latest: &Reading, rules: &Rules, now: Timestamp, judged: &mut Judged) {
    for (name, schedule) in &latest.schedules {
        if rules.schedule_late.is_some_and(|most| schedule.late >= most) {
            let late = Millis(schedule.late.0 / 1000 * 1000);
            let text = format!("schedule {name} is {late} late. hookbox schedules show {name}");
            judged.wrong(Rule::ScheduleLate, name.as_str(), text);
        }
    }
    for (name, most) in &rules.schedule_quiet {
        match latest.schedules.get(name) {
            None => {
                let text =
                    format!("there is no schedule {name}, and it should fire every {most}. hookbox schedules list");
                judged.wrong(Rule::ScheduleQuiet, name.as_str(), text);
            }
            Some(schedule) => {
                let quiet = now.since(schedule.last.unwrap_or(now));
                if quiet >= *most {
                    let text = format!("schedule {name} has not fired for {most}. hookbox schedules show {name}");
                    judged.wrong(Rule::ScheduleQuiet, name.as_str(), text);
                }
            }
        }
    }
}

fn attention(latest: &Reading, rules: &Rules, judged: &mut Judged) {
    for (name, reason) in latest.attention.iter().filter(|_| rules.schedule_attention) {
        let why = match reason {
            Reason::Failing => "is paused, since its runs failed",
            Reason::NoNextSlot => "has no next slot",
            Reason::Undecided => "has a slot without a verdict",
            Reason::ClockBehind => "is ahead of the clock, and waits for it",
        };
        let text = format!("schedule {name} {why}. hookbox schedules show {name}");
        judged.wrong(Rule::ScheduleAttention, name.as_str(), text);
    }
}

fn silent(latest: &Reading, rules: &Rules, seen: &mut Seen, now: Timestamp, judged: &mut Judged) {
    seen.providers.retain(|name, _| rules.provider_silent.contains_key(name));
    for (name, most) in &rules.provider_silent {
        // What came before the clock was set back was heard before, too.
        let last = latest.heard.get(name).copied().filter(|last| *last <= now);
        let heard = seen.providers.entry(name.clone()).or_insert(now);
        *heard = (*heard).max(last.unwrap_or_default()).min(now);
        if now.since(*heard) >= *most {
            let text = format!("nothing was taken of {name} for {most}. hookbox providers live {name}");
            judged.wrong(Rule::ProviderSilent, name.as_str(), text);
        }
    }
}

fn disk(latest: &Reading, rules: &Rules, judged: &mut Judged) {
    if let (Some(least), Some(free)) = (rules.disk_low, latest.disk_free)
        && free < least
    {
        let text = format!("{free}% of the disk of the store is free, and {least}% should be. hookbox doctor");
        judged.wrong(Rule::DiskLow, "", text);
    }
}

fn rolled_back(latest: &Reading, rules: &Rules, seen: &mut Seen, now: Timestamp, judged: &mut Judged) {
    seen.rollbacks.retain(|name, _| latest.rollbacks.contains_key(name));
    for (name, number) in &latest.rollbacks {
        // What was rolled back before anybody watched is old.
        let known = seen.rollbacks.entry(name.clone()).or_insert((*number, None));
        if *number > known.0 {
            *known = (*number, Some(now));
        }
        known.1 = known.1.map(|at| at.min(now));
        let is_recent = |at: Timestamp| rules.rollback.is_some_and(|told_for| now.since(at) < told_for);
        if known.1.is_some_and(is_recent) {
            let text = format!("the host rolled {name} back to the version before. hookbox plugins show {name}");
            judged.wrong(Rule::Rollback, name.as_str(), text);
        }
    }
}

#[cfg(test)]
mod tests;
