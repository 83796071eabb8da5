//! Alerts that begin and end, and the messages about them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::rules::Rule;
use super::watch::{Judged, Seen};
use crate::time::{Millis, Timestamp};

/// Alerts at one time; what is wrong beyond is not told one by one.
pub const ALERTS_MAX: usize = 500;
/// Alerts that have ended and are kept.
pub const HISTORY_MAX: usize = 200;
/// Messages of one channel that wait to be delivered: with so many, what there is to tell waits, too.
pub const MESSAGES_MAX: usize = 50;
/// Tries to deliver a message: with the waits between them some hours.
pub const TRIES_MAX: u32 = 12;
/// The wait after the first failed try; doubled with each further one.
const WAIT_FIRST: Millis = Millis(10_000);
const WAIT_MAX: Millis = Millis(30 * 60 * 1000);

/// When and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// What begins or ends within this is told together.
    pub group: Millis,
    /// So long nothing must be wrong before it is right.
    pub settle: Millis,
    /// Messages of one channel within an hour; what is over waits.
    pub hourly_max: u32,
    /// Channels of each rule; of a rule that has none here, `usual`.
    pub channels: BTreeMap<Rule, Vec<String>>,
    pub usual: Vec<String>,
}

impl Default for Terms {
    fn default() -> Terms {
        Terms {
            group: Millis(30_000),
            settle: Millis::MINUTE,
            hourly_max: 30,
            channels: BTreeMap::new(),
            usual: Vec::new(),
        }
    }
}

impl Terms {
    fn of(&self, rule: Rule) -> &[String] {
        self.channels.get(&rule).unwrap_or(&self.usual)
    }

    fn names(&self) -> BTreeSet<&String> {
        self.channels.values().flatten().chain(&self.usual).collect()
    }
}

/// Something that is wrong, since when, and who knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    pub rule: Rule,
    pub about: String,
    pub text: String,
    pub since: Timestamp,
    /// It seems right since then.
    pub right_since: Option<Timestamp>,
    /// Channels that have a message about it.
    pub told: BTreeSet<String>,
    /// It is right again; kept until those are told, too, who know that it was wrong.
    pub resolved: Option<Timestamp>,
}

/// One that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct History {
    pub rule: Rule,
    pub about: String,
    pub text: String,
    pub since: Timestamp,
    pub resolved: Timestamp,
}

/// What a channel is told of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub rule: Rule,
    pub about: String,
    pub text: String,
    pub since: Timestamp,
    /// Nothing while it is wrong.
    pub resolved: Option<Timestamp>,
}

/// For one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// By which a receiver knows one that comes twice.
    pub id: String,
    pub channel: String,
    pub at: Timestamp,
    pub parts: Vec<Part>,
    pub tries: u32,
    pub due: Timestamp,
    /// Why the last try failed.
    pub failure: Option<String>,
}

/// Kept over restarts, as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Book {
    pub alerts: Vec<Alert>,
    pub messages: Vec<Message>,
    pub history: VecDeque<History>,
    pub seen: Seen,
    /// When the latest messages of each channel were made.
    sent: BTreeMap<String, VecDeque<Timestamp>>,
    /// Messages that were made.
    made: u64,
}

/// What a step did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Same,
    /// It is to be kept before anything is delivered.
    Changed,
}

impl Book {
    /// Takes in what was judged, and makes the messages that are due.
    pub fn step(&mut self, judged: Judged, terms: &Terms, now: Timestamp) -> Step {
        let before = (self.alerts.clone(), self.messages.len(), self.made);
        self.forget(terms);
        self.take_in(judged, terms, now);
        for channel in terms.names() {
            self.tell(channel, terms, now);
        }
        self.close();
        let is_same = before == (self.alerts.clone(), self.messages.len(), self.made);
        if is_same { Step::Same } else { Step::Changed }
    }

    /// Messages to deliver now: of each channel the oldest alone, so that they come in order.
    pub fn due(&self, now: Timestamp) -> Vec<Message> {
        let mut channels = BTreeSet::new();
        let first = self.messages.iter().filter(|message| channels.insert(message.channel.clone()));
        // No wait is longer: one that seems to be is from before the clock was set back.
        first.filter(|message| message.due <= now || message.due > now.plus(WAIT_MAX)).cloned().collect()
    }

    pub fn delivered(&mut self, id: &str) {
        self.messages.retain(|message| message.id != id);
    }

    /// True where it will not be tried again: then its channel is told anew of what still fires.
    pub fn failed(&mut self, id: &str, failure: String, now: Timestamp) -> bool {
        let Some(message) = self.messages.iter_mut().find(|message| message.id == id) else { return false };
        message.tries += 1;
        let doubled = WAIT_FIRST.0.saturating_mul(1 << (message.tries - 1).min(20));
        message.due = now.plus(Millis(doubled).min(WAIT_MAX));
        message.failure = Some(failure);
        if message.tries < TRIES_MAX {
            return false;
        }
        let lost = message.clone();
        self.delivered(id);
        self.untold(&lost);
        true
    }

    /// What has ended meanwhile stays told: its end is then the only word about it.
    fn untold(&mut self, Message { channel, parts, .. }: &Message) {
        for alert in self.alerts.iter_mut().filter(|alert| alert.resolved.is_none()) {
            let is_it = |part: &Part| part.rule == alert.rule && part.about == alert.about && part.since == alert.since;
            if parts.iter().any(is_it) {
                alert.told.remove(channel);
            }
        }
    }

    /// Channels that are no longer there have nobody to tell.
    fn forget(&mut self, terms: &Terms) {
        let known: BTreeSet<String> = terms.names().into_iter().cloned().collect();
        self.messages.retain(|message| known.contains(&message.channel));
        self.sent.retain(|channel, _| known.contains(channel));
        for alert in &mut self.alerts {
            alert.told.retain(|channel| known.contains(channel));
        }
    }

    fn take_in(&mut self, judged: Judged, terms: &Terms, now: Timestamp) {
        let mut wrong: BTreeMap<(Rule, String), String> = BTreeMap::new();
        wrong.extend(judged.wrong.into_iter().map(|condition| ((condition.rule, condition.about), condition.text)));
        for alert in self.alerts.iter_mut().filter(|alert| alert.resolved.is_none()) {
            match wrong.remove(&(alert.rule, alert.about.clone())) {
                Some(text) => {
                    alert.right_since = None;
                    // Those who know of it have read another; it is for who looks.
                    alert.text = text;
                }
                None if judged.open.contains(&alert.rule) => {}
                None => {
                    let since = alert.right_since.map_or(now, |since| since.min(now));
                    alert.right_since = Some(since);
                    if now.since(since) >= terms.settle {
                        alert.resolved = Some(now);
                    }
                }
            }
        }
        // One that has ended takes nobody's place while a channel cannot be told so.
        let firing = self.alerts.iter().filter(|alert| alert.resolved.is_none()).count();
        let room = ALERTS_MAX.saturating_sub(firing);
        self.alerts.extend(wrong.into_iter().take(room).map(|((rule, about), text)| Alert {
            rule,
            about,
            text,
            since: now,
            right_since: None,
            told: BTreeSet::new(),
            resolved: None,
        }));
    }

    /// One message with everything that the channel does not know, once it is time for it.
    fn tell(&mut self, channel: &String, terms: &Terms, now: Timestamp) {
        let unknown = |alert: &&mut Alert| match alert.resolved {
            // What seems right by now may end without a word.
            None => {
                alert.right_since.is_none() && !alert.told.contains(channel) && terms.of(alert.rule).contains(channel)
            }
            Some(_) => alert.told.contains(channel),
        };
        let first = self.alerts.iter_mut().filter(unknown).map(|alert| alert.resolved.unwrap_or(alert.since)).min();
        let is_time = first.is_some_and(|first| now.since(first) >= terms.group || first > now);
        let sent = self.sent.entry(channel.clone()).or_default();
        sent.retain(|at| now.since(*at) < Millis::HOUR && *at <= now);
        let waiting = self.messages.iter().filter(|message| message.channel == *channel).count();
        // A full channel loses no message: what changes until there is room is told as one.
        if !is_time || waiting >= MESSAGES_MAX || sent.len() >= terms.hourly_max as usize {
            return;
        }
        sent.push_back(now);
        let mut parts = Vec::new();
        for alert in self.alerts.iter_mut().filter(unknown) {
            parts.push(Part {
                rule: alert.rule,
                about: alert.about.clone(),
                text: alert.text.clone(),
                since: alert.since,
                resolved: alert.resolved,
            });
            match alert.resolved {
                None => alert.told.insert(channel.clone()),
                Some(_) => alert.told.remove(channel),
            };
        }
        self.made += 1;
        let id = format!("alert_{}_{}", now.0, self.made);
        let message = Message { id, channel: channel.clone(), at: now, parts, tries: 0, due: now, failure: None };
        self.messages.push(message);
    }

    /// Those that are right, and of which nobody thinks otherwise.
    fn close(&mut self) {
        let Book { alerts, history, .. } = self;
        alerts.retain(|alert| match alert.resolved {
            Some(resolved) if alert.told.is_empty() => {
                let Alert { rule, about, text, since, .. } = alert.clone();
                history.push_front(History { rule, about, text, since, resolved });
                false
            }
            _ => true,
        });
        history.truncate(HISTORY_MAX);
    }
}
