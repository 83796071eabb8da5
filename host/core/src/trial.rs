//! When the host goes back to the version before by itself: a new version is on trial for its first attempts, and too
//! many that fail end it.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::attempt::Outcome;
use crate::name::PluginName;

/// Attempts of a trial at most: they are counted in memory, and a trial that never ends is none.
pub const OVER_MAX: u32 = 10_000;

/// `{ failures: 50%, over: 20 }`: back, as soon as half of the first 20 attempts have failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    failures: Percent,
    over: u32,
}

/// 1 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Percent(u32);

/// The rules of all plugins.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rules {
    /// Of those that have none of their own.
    pub usual: Option<Rule>,
    /// Nothing switches off the usual one.
    pub own: BTreeMap<PluginName, Option<Rule>>,
}

/// The attempts of one version that counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Trial {
    attempts: u32,
    failures: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Open,
    /// It cannot fail any longer.
    Passed,
    Failed,
}

impl FromStr for Percent {
    type Err = String;

    fn from_str(text: &str) -> Result<Percent, String> {
        let number = text.strip_suffix('%').filter(|number| number.bytes().all(|b| b.is_ascii_digit()));
        let number = number.and_then(|number| number.parse().ok()).filter(|number| (1..=100).contains(number));
        number.map(Percent).ok_or_else(|| format!("must be 1%..=100%, got {text}"))
    }
}

impl Rule {
    /// Nothing where `over` is not 1..=[`OVER_MAX`].
    pub fn new(failures: Percent, over: u32) -> Option<Rule> {
        (1..=OVER_MAX).contains(&over).then_some(Rule { failures, over })
    }

    /// So many failures end the trial; at least one.
    pub fn failures_max(self) -> u32 {
        (self.failures.0 * self.over).div_ceil(100)
    }
}

impl Rules {
    pub fn of(&self, plugin: &PluginName) -> Option<Rule> {
        self.own.get(plugin).copied().unwrap_or(self.usual)
    }
}

impl Trial {
    /// What the host or an operator cut off says nothing about the version.
    pub fn count(&mut self, outcome: &Outcome) {
        let failed = match outcome {
            Outcome::Completed { .. } | Outcome::Skipped { .. } => false,
            Outcome::Retryable { .. }
            | Outcome::Permanent { .. }
            | Outcome::Trapped { .. }
            | Outcome::TimedOut { .. }
            | Outcome::CpuExhausted { .. }
            | Outcome::OutOfMemory { .. } => true,
            Outcome::Lost | Outcome::Cancelled | Outcome::Revoked { .. } => return,
        };
        self.attempts = self.attempts.saturating_add(1);
        self.failures = self.failures.saturating_add(u32::from(failed));
    }

    /// As soon as it is certain, before all attempts are there.
    pub fn verdict(self, rule: Rule) -> Verdict {
        let failures_max = rule.failures_max();
        let good = self.attempts - self.failures;
        if self.failures >= failures_max {
            Verdict::Failed
        } else if good > rule.over - failures_max || self.attempts >= rule.over {
            Verdict::Passed
        } else {
            Verdict::Open
        }
    }
}

/// `10 of its first 12 attempts failed`
impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of its first {} attempts failed", self.failures, self.attempts)
    }
}

/// `failures: 50%, over: 20`
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "failures: {}%, over: {}", self.failures.0, self.over)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Millis;
    use proptest::prelude::*;

    const DONE: Outcome = Outcome::Completed { output: None };
    const FAILED: Outcome = Outcome::CpuExhausted { limit: Millis(1) };

    fn rule(failures: &str, over: u32) -> Rule {
        Rule::new(failures.parse().unwrap(), over).unwrap()
    }

    fn trial(outcomes: &[Outcome]) -> Trial {
        let mut trial = Trial::default();
        outcomes.iter().for_each(|outcome| trial.count(outcome));
        trial
    }

    #[test]
    fn half_of_twenty_is_ten() {
        let rule = rule("50%", 20);
        assert_eq!(trial(&[FAILED; 9]).verdict(rule), Verdict::Open);
        assert_eq!(trial(&[FAILED; 10]).verdict(rule), Verdict::Failed);
        assert_eq!(trial(&[DONE; 10]).verdict(rule), Verdict::Open);
        assert_eq!(trial(&[DONE; 11]).verdict(rule), Verdict::Passed);
    }

    #[test]
    fn one_failure_is_the_least_that_ends_a_trial() {
        assert_eq!(Trial::default().verdict(rule("1%", 1)), Verdict::Open);
        assert_eq!(trial(&[FAILED]).verdict(rule("1%", 10)), Verdict::Failed);
        assert_eq!(trial(&[DONE]).verdict(rule("100%", 2)), Verdict::Passed);
        assert_eq!(trial(&[FAILED, FAILED]).verdict(rule("100%", 2)), Verdict::Failed);
    }

    #[test]
    fn what_the_host_or_an_operator_cut_off_does_not_count() {
        assert_eq!(trial(&[Outcome::Lost, Outcome::Cancelled]), Trial::default());
        let faults = [
            Outcome::Retryable { message: String::new(), retry_after: None },
            Outcome::Permanent { message: String::new() },
            Outcome::Trapped { message: String::new() },
            Outcome::TimedOut { limit: Millis(1) },
            Outcome::CpuExhausted { limit: Millis(1) },
            Outcome::OutOfMemory { limit: 1 },
        ];
        assert_eq!(trial(&faults), Trial { attempts: 6, failures: 6 });
        assert_eq!(trial(&[DONE, Outcome::Skipped { reason: String::new() }]), Trial { attempts: 2, failures: 0 });
    }

    #[test]
    fn a_rule_is_bounded() {
        let half: Percent = "50%".parse().unwrap();
        for (over, good) in [(0, false), (1, true), (OVER_MAX, true), (OVER_MAX + 1, false)] {
            assert_eq!(Rule::new(half, over).is_some(), good, "{over}");
        }
        for bad in ["", "%", "0%", "101%", "50", "+5%", "5.5%", "-1%"] {
            assert_eq!(bad.parse::<Percent>(), Err(format!("must be 1%..=100%, got {bad}")));
        }
    }

    #[test]
    fn a_plugin_has_its_own_rule_or_the_usual_one() {
        let name = |text: &str| PluginName::parse(text).unwrap();
        let (usual, own) = (rule("50%", 20), rule("10%", 100));
        let rules =
            Rules { usual: Some(usual), own: BTreeMap::from([(name("strict"), Some(own)), (name("off"), None)]) };
        assert_eq!(["strict", "off", "other"].map(|plugin| rules.of(&name(plugin))), [Some(own), None, Some(usual)]);
    }

    proptest! {
        /// A verdict that comes early is the one that comes in the end.
        #[test]
        fn an_early_verdict_is_the_final_one(
            percent in 1u32..=100, over in 1u32..=30, failed in prop::collection::vec(any::<bool>(), 30),
        ) {
            let rule = Rule::new(Percent(percent), over).unwrap();
            let first: Vec<bool> = failed.into_iter().take(over as usize).collect();
            let failures = first.iter().filter(|failed| **failed).count() as u32;
            let wanted = if failures * 100 >= percent * over { Verdict::Failed } else { Verdict::Passed };
            let (mut trial, mut told) = (Trial::default(), Verdict::Open);
            for failed in first {
                trial.count(if failed { &FAILED } else { &DONE });
                told = trial.verdict(rule);
                if told != Verdict::Open {
                    break;
                }
            }
            prop_assert_eq!(told, wanted);
        }
    }
}
