//! What is known of one plugin: the versions that served, serve and may not serve, and what an operator wants of it.

use std::collections::BTreeSet;

use hookbox_core::name::PluginName;
use hookbox_core::plugin::{Digest, PluginInfo};
use hookbox_core::time::Timestamp;
use hookbox_core::trust::{Grounds, Untrusted};
use serde::{Deserialize, Serialize};

/// Times of service that are remembered for each plugin.
pub const HISTORY_MAX: usize = 10;
/// Versions that are remembered as rolled back from, for each plugin.
pub const REJECTED_MAX: usize = 10;
/// Commands that are kept, one for each name; the oldest that was answered makes room.
pub const COMMANDS_MAX: usize = 1000;

/// What is known of one plugin. The folder proposes; this row decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginRow {
    pub name: PluginName,
    /// The version that serves.
    pub active: Option<ActiveVersion>,
    /// The latest version that was refused, and why; gone once a good one is active.
    pub refused: Option<RefusedVersion>,
    /// The file is gone from the folder; its runs wait for a while.
    pub missing_since: Option<Timestamp>,
    /// Times of service, latest last: that of the active version.
    pub history: Vec<PastVersion>,
    /// Versions that were rolled back from, latest last: they serve again only where an operator says so.
    pub rejected: Vec<RejectedVersion>,
    /// How often it was rolled back.
    pub rollbacks: Rollbacks,
    /// Why the version that serves may run.
    pub trusted: Option<Trusted>,
}

/// Of the component that serves, as it was judged last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trusted {
    pub pinned: bool,
    pub signed: Option<SignedBy>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedBy {
    pub key: String,
    /// It is signed, too.
    pub comment: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveVersion {
    pub digest: Digest,
    pub since: Timestamp,
    pub info: PluginInfo,
    /// Interfaces that it imports.
    pub imports: Vec<String>,
    pub standing: Standing,
}

/// Whether a version may be rolled back by the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Standing {
    /// Its first attempts are counted.
    OnTrial,
    #[default]
    Settled,
    /// Too many of them failed, and there was no version to go back to.
    Failed,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedVersion {
    pub digest: Option<Digest>,
    pub at: Timestamp,
    /// Kebab-case code of the cause.
    pub code: String,
    pub reason: String,
}

/// One time of service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastVersion {
    pub digest: Digest,
    pub since: Timestamp,
    /// As its author counts, where that is known.
    pub version: Option<String>,
    /// Nothing as long as it serves.
    pub ended: Option<Ended>,
    /// It ended as a version that was not, or no longer, on trial, and had not failed.
    pub settled: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    pub at: Timestamp,
    pub how: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// Another file took its place.
    Replaced,
    RolledBack(By),
    /// Its file was gone for too long.
    Gone,
    /// No version may serve under its name.
    TakenDown,
}

/// Who rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum By {
    Operator,
    /// By the rule of hooks.yaml.
    Host,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedVersion {
    pub digest: Digest,
    pub at: Timestamp,
    pub by: By,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Rollbacks {
    pub by_operator: u64,
    pub by_host: u64,
}

/// What an operator wants of a plugin. The host obeys, be it after a restart, and writes down what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PluginCommand {
    pub asked: Timestamp,
    pub wish: Wish,
    pub answer: Option<CommandAnswer>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wish {
    /// One of its history serves again; what serves in its place, and what the folder proposes, are rolled back from.
    Activate { digest: Digest },
    /// What was uploaded is taken in. The signature is a minisign file's text.
    Take { digest: Digest, signature: Option<String> },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandAnswer {
    pub at: Timestamp,
    /// Why it was not done; nothing where it was.
    pub refused: Option<CommandRefused>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandRefused {
    /// Kebab-case code of the cause.
    pub code: String,
    pub reason: String,
}

impl From<&Grounds> for Trusted {
    fn from(grounds: &Grounds) -> Trusted {
        let signed = grounds.signed.as_ref();
        let signed = signed.map(|signed| SignedBy { key: signed.by.to_string(), comment: signed.comment.clone() });
        Trusted { pinned: grounds.pinned, signed }
    }
}

impl PluginRow {
    pub fn new(name: PluginName) -> PluginRow {
        PluginRow {
            name,
            active: None,
            refused: None,
            missing_since: None,
            history: Vec::new(),
            rejected: Vec::new(),
            rollbacks: Rollbacks::default(),
            trusted: None,
        }
    }

    /// `version` serves from now on.
    pub fn activated(&mut self, digest: Digest, info: PluginInfo, at: Timestamp) {
        self.missing_since = None;
        self.refused = None;
        self.rejected.retain(|rejected| rejected.digest != digest);
        if let Some(active) = self.active.as_mut().filter(|active| active.digest == digest) {
            // The same version, perhaps configured anew.
            active.info = info;
            return;
        }
        self.trusted = None;
        self.end(at, Ending::Replaced);
        self.history.push(PastVersion {
            digest,
            since: at,
            version: Some(info.version.clone()),
            ended: None,
            settled: false,
        });
        let surplus = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..surplus);
        self.active =
            Some(ActiveVersion { digest, since: at, info, imports: Vec::new(), standing: Standing::default() });
    }

    /// As [`PluginRow::activated`], in place of versions that may not come back by themselves.
    pub fn rolled_back(&mut self, to: Digest, info: PluginInfo, at: Timestamp, from: &[Digest], by: By, reason: &str) {
        for digest in from.iter().filter(|digest| **digest != to) {
            self.reject(RejectedVersion { digest: *digest, at, by, reason: reason.to_owned() });
        }
        if self.active.as_ref().is_some_and(|active| active.digest != to) {
            self.end(at, Ending::RolledBack(by));
            match by {
                By::Operator => self.rollbacks.by_operator += 1,
                By::Host => self.rollbacks.by_host += 1,
            }
        }
        self.activated(to, info, at);
    }

    /// No version serves from now on.
    pub fn retired(&mut self, at: Timestamp, how: Ending) {
        if self.active.is_some() {
            self.end(at, how);
            (self.active, self.trusted) = (None, None);
        }
    }

    /// Whether nothing serves since what was is not trusted any longer, or what came in its place is not.
    pub fn is_distrusted(&self) -> bool {
        self.missing_since.is_some() && self.is_untrusted()
    }

    /// Whether the latest file is one that must not run.
    pub fn is_untrusted(&self) -> bool {
        self.refused.as_ref().is_some_and(|refused| refused.code.starts_with(Untrusted::CODE_PREFIX))
    }

    /// The reason why a version does not serve though it lies in the folder.
    pub fn rejection(&self, digest: Digest) -> Option<&RejectedVersion> {
        self.rejected.iter().find(|rejected| rejected.digest == digest)
    }

    /// The version that a rollback goes to: the last one before the active one that was not rolled back from.
    pub fn previous(&self) -> Option<Digest> {
        self.earlier().next()
    }

    /// Versions that a rollback may go to, each once, the one that served last first.
    pub fn earlier(&self) -> impl Iterator<Item = Digest> {
        let active = self.active.as_ref().map(|active| active.digest);
        let good = move |digest: &Digest| Some(*digest) != active && self.rejection(*digest).is_none();
        let mut seen = BTreeSet::new();
        self.history.iter().rev().map(|past| past.digest).filter(good).filter(move |digest| seen.insert(*digest))
    }

    /// Whether it was good in a time of service that has ended: what fails in it later is no fault of its own.
    pub fn has_settled(&self, digest: Digest) -> bool {
        self.history.iter().any(|past| past.digest == digest && past.settled)
    }

    fn reject(&mut self, rejected: RejectedVersion) {
        self.rejected.retain(|other| other.digest != rejected.digest);
        self.rejected.push(rejected);
        let surplus = self.rejected.len().saturating_sub(REJECTED_MAX);
        self.rejected.drain(..surplus);
    }

    /// The first end counts.
    fn end(&mut self, at: Timestamp, how: Ending) {
        if let Some(last) = self.history.last_mut().filter(|last| last.ended.is_none()) {
            last.ended = Some(Ended { at, how });
            let in_good_standing = self.active.as_ref().is_some_and(|active| active.standing == Standing::Settled);
            last.settled = in_good_standing && how != Ending::RolledBack(By::Host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Digest = Digest([1; 32]);
    const NEW: Digest = Digest([2; 32]);

    fn info(version: &str) -> PluginInfo {
        let name = PluginName::parse("shop").unwrap();
        PluginInfo { name, version: version.to_owned(), description: None, handlers: Vec::new() }
    }

    fn row() -> PluginRow {
        let mut row = PluginRow::new(PluginName::parse("shop").unwrap());
        row.activated(OLD, info("1"), Timestamp(1));
        row.activated(NEW, info("2"), Timestamp(2));
        row
    }

    fn ends(row: &PluginRow) -> Vec<Option<(u64, Ending)>> {
        row.history.iter().map(|past| past.ended.map(|ended| (ended.at.0, ended.how))).collect()
    }

    #[test]
    fn what_was_rolled_back_from_is_no_version_to_go_back_to() {
        let mut row = row();
        assert_eq!(row.previous(), Some(OLD));
        row.rolled_back(OLD, info("1"), Timestamp(3), &[NEW], By::Operator, "it was bad");
        assert_eq!(row.active.as_ref().map(|active| active.digest), Some(OLD));
        assert_eq!(row.rejection(NEW).map(|rejected| rejected.reason.as_str()), Some("it was bad"));
        assert_eq!(row.previous(), None);
        assert_eq!(ends(&row), [Some((2, Ending::Replaced)), Some((3, Ending::RolledBack(By::Operator))), None]);
        assert_eq!(row.rollbacks, Rollbacks { by_operator: 1, by_host: 0 });
    }

    #[test]
    fn a_version_that_serves_again_is_rejected_no_longer() {
        let mut row = row();
        row.rolled_back(OLD, info("1"), Timestamp(3), &[NEW], By::Host, "it failed");
        row.rolled_back(NEW, info("2"), Timestamp(4), &[OLD], By::Operator, "by mistake");
        assert_eq!((row.rejection(NEW), row.previous()), (None, None));
        assert!(row.rejection(OLD).is_some());
        assert_eq!(row.rollbacks, Rollbacks { by_operator: 1, by_host: 1 });
    }

    #[test]
    fn a_version_has_settled_that_was_not_on_trial_when_its_time_ended() {
        let mut row = row();
        row.active.as_mut().unwrap().standing = Standing::OnTrial;
        assert!(row.has_settled(OLD), "it served without a trial");
        row.rolled_back(OLD, info("1"), Timestamp(3), &[NEW], By::Host, "it failed");
        assert!(!row.has_settled(NEW));
        row.activated(NEW, info("2"), Timestamp(4));
        row.retired(Timestamp(5), Ending::Gone);
        assert!(row.has_settled(NEW), "in a later time of service");
    }

    #[test]
    fn a_version_does_not_reject_itself() {
        let mut row = row();
        row.rolled_back(NEW, info("2"), Timestamp(3), &[NEW, OLD], By::Operator, "stay");
        assert_eq!((row.rejected.len(), row.rejection(NEW), row.rollbacks), (1, None, Rollbacks::default()));
        assert_eq!(row.history.len(), 2);
    }

    #[test]
    fn history_and_rejections_are_bounded() {
        let mut row = row();
        for number in 3..50 {
            row.rolled_back(Digest([number; 32]), info("n"), Timestamp(3), &[Digest([number - 1; 32])], By::Host, "");
        }
        assert_eq!((row.history.len(), row.rejected.len()), (HISTORY_MAX, REJECTED_MAX));
        assert!(row.rejection(Digest([48; 32])).is_some());
    }

    #[test]
    fn a_plugin_whose_file_came_back_serves_anew() {
        let mut row = row();
        row.retired(Timestamp(3), Ending::Gone);
        row.retired(Timestamp(4), Ending::TakenDown);
        assert_eq!(row.history.last().and_then(|last| last.ended).map(|ended| ended.how), Some(Ending::Gone));
        row.activated(NEW, info("2"), Timestamp(5));
        assert_eq!((row.history.len(), ends(&row).last()), (3, Some(&None)));
    }
}
