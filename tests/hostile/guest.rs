//! One hostile guest: how it is made, what it is allowed, and how its attack must end.

use hookbox_core::attempt::Executed;
use hookbox_core::limits::{Limits, PluginSettings};
use hookbox_core::time::Millis;

use crate::component::{self, Text};

/// What most guests are allowed of CPU time: enough for an attack, and over soon.
const CPU: Millis = Millis(100);
/// And of wall time: one that waits is told apart from one that computes on a slow machine, too.
const TIMEOUT: Millis = Millis(20_000);

pub(crate) struct Guest {
    /// The attack; also the stem of the plugin's file.
    pub(crate) name: &'static str,
    pub(crate) settings: PluginSettings,
    pub(crate) timeout: Millis,
    pub(crate) verdict: Verdict,
    /// Keys that it has from before, with values of so many bytes.
    pub(crate) stored: Vec<(&'static str, usize)>,
    /// What must hold besides.
    pub(crate) check: fn(&Executed),
    source: Source,
}

enum Source {
    Text(Box<Text>),
    /// With so many instances of a core module.
    With(Box<Text>, &'static str, u32),
    /// Built from tests/guests.
    Built(&'static str),
}

/// How it must end; words are part of what is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It never becomes a version: the code of the refusal.
    Refused(&'static str, &'static str),
    Trapped(&'static str),
    CpuExhausted,
    TimedOut,
    OutOfMemory,
    Permanent(&'static str),
    Retryable(&'static str),
    /// It gets to its end and had nothing of it: what it returns.
    Says(&'static str),
    Completes,
}

/// A guest of that name, which is honest but for what is said of it.
pub(crate) fn guest(name: &'static str) -> Guest {
    let settings = PluginSettings { cpu: CPU, ..PluginSettings::default() };
    let source = Source::Text(Box::new(Text::new(name)));
    let (verdict, stored) = (Verdict::Completes, Vec::new());
    Guest { name, settings, timeout: TIMEOUT, verdict, stored, check: |_| {}, source }
}

/// An example of the package `guest-liar`: its `describe` is the attack.
pub(crate) fn liar(name: &'static str, built: &'static str, code: &'static str, words: &'static str) -> Guest {
    Guest { source: Source::Built(built), ..guest(name).ends(Verdict::Refused(code, words)) }
}

impl Guest {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        match &self.source {
            Source::Text(text) => text.component(),
            Source::With(text, module, count) => component::with_instances(text.component(), module, *count),
            Source::Built(name) => hookbox_tests::guest(name),
        }
    }

    pub(crate) fn text(mut self, change: impl FnOnce(&mut Text)) -> Guest {
        match &mut self.source {
            Source::Text(text) | Source::With(text, ..) => change(text),
            Source::Built(name) => panic!("{name} is no text"),
        }
        self
    }

    /// The body of `run-job`.
    pub(crate) fn job(self, body: &str) -> Guest {
        self.text(|text| text.job = body.to_owned())
    }

    pub(crate) fn describe(self, body: &str) -> Guest {
        self.text(|text| text.describe = body.to_owned())
    }

    /// More of the module.
    pub(crate) fn more(self, more: &str) -> Guest {
        self.text(|text| text.more = more.to_owned())
    }

    /// With so many instances of one more core module.
    pub(crate) fn with(mut self, module: &'static str, count: u32) -> Guest {
        self.source = match self.source {
            Source::Text(text) | Source::With(text, ..) => Source::With(text, module, count),
            built @ Source::Built(_) => built,
        };
        self
    }

    pub(crate) fn settings(mut self, change: impl FnOnce(&mut PluginSettings)) -> Guest {
        change(&mut self.settings);
        self
    }

    pub(crate) fn limits(self, change: impl FnOnce(&mut Limits)) -> Guest {
        self.settings(|settings| change(&mut settings.limits))
    }

    pub(crate) fn timeout(mut self, timeout: Millis) -> Guest {
        self.timeout = timeout;
        self
    }

    pub(crate) fn stored(mut self, keys: &[(&'static str, usize)]) -> Guest {
        self.stored = keys.to_vec();
        self
    }

    pub(crate) fn ends(mut self, verdict: Verdict) -> Guest {
        self.verdict = verdict;
        self
    }

    pub(crate) fn check(mut self, check: fn(&Executed)) -> Guest {
        self.check = check;
        self
    }
}
