//! One hostile guest: how it is made, what it is allowed, and how its attack must end.

use std::sync::Arc;

use hookbox_core::attempt::Executed;
use hookbox_core::egress::{Egress, Grant};
use hookbox_core::limits::{Limits, PluginSettings};
use hookbox_core::time::Millis;

use crate::component::{self, Text};
use crate::http;
use crate::server::{self, Heard, SHOP};

/// What most guests are allowed of CPU time: enough for an attack, and over soon.
const CPU: Millis = Millis(100);
/// For those whose attack copies megabytes, on a slow machine and in a host that is not optimized, too.
const AMPLE: Millis = Millis(1000);
/// And of wall time: one that waits is told apart from one that computes on a slow machine, too.
const TIMEOUT: Millis = Millis(20_000);

/// The largest things that a guest holds by a handle: the headers of a request, with its path and host.
const RESOURCE_BYTES: usize = 48 << 10;
/// What is read of an answer before the guest takes it, and of a request before it is sent.
const ANSWER_BYTES: u64 = 256 << 10;

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
    /// What the operator is told of one of its requests.
    pub(crate) told: &'static str,
    /// What its requests brought to the servers of the arena.
    pub(crate) heard: fn(&[Heard]),
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
    Guest {
        name,
        settings,
        timeout: TIMEOUT,
        verdict: Verdict::Completes,
        stored: Vec::new(),
        check: |_| {},
        told: "",
        heard: nothing,
        source,
    }
}

/// A guest that may send to any host, at the port of the arena's servers and at that of the web; but of the addresses of
/// this machine it may reach the shop's only.
pub(crate) fn sender(name: &'static str, job: &str) -> Guest {
    let grants = [format!("http://*:{}", server::port()), "http://*".to_owned()];
    guest(name).more(&http::calls()).job(job).egress(|egress| {
        egress.grants = grants.iter().map(|grant| Grant::parse(grant).unwrap()).collect();
        egress.networks = vec![format!("{SHOP}/32").parse().unwrap()];
    })
}

fn nothing(heard: &[Heard]) {
    assert!(heard.is_empty(), "{heard:?}");
}

/// An example of the package `guest-liar`: its `describe` is the attack.
pub(crate) fn liar(name: &'static str, built: &'static str, code: &'static str, words: &'static str) -> Guest {
    Guest { source: Source::Built(built), ..guest(name).ends(Verdict::Refused(code, words)) }
}

impl Guest {
    /// What its limits allow it to have of the host's memory, all of them used at one time.
    pub(crate) fn host_bytes_max(&self) -> u64 {
        let PluginSettings { memory_bytes, kv_bytes, limits, egress, .. } = &self.settings;
        let resources = limits.resources * RESOURCE_BYTES;
        let calls = 2 * limits.call_bytes + limits.random_bytes + limits.result_bytes;
        let kept = limits.log_bytes + limits.kv_data_bytes + limits.queue_bytes + 8 * limits.table_elements;
        let answers = u64::from(egress.at_once_max) * ANSWER_BYTES;
        memory_bytes + kv_bytes + (resources + calls + kept) as u64 + answers
    }

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

    pub(crate) fn egress(self, change: impl FnOnce(&mut Egress)) -> Guest {
        self.settings(|settings| change(Arc::make_mut(&mut settings.egress)))
    }

    /// It may send this, and nothing else.
    pub(crate) fn granted(self, grant: &str) -> Guest {
        let grant = Grant::parse(grant).unwrap();
        self.egress(|egress| egress.grants = vec![grant])
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

    /// Its attack takes more of the CPU than most.
    pub(crate) fn ample(self) -> Guest {
        self.settings(|settings| settings.cpu = AMPLE)
    }

    pub(crate) fn ends(mut self, verdict: Verdict) -> Guest {
        self.verdict = verdict;
        self
    }

    pub(crate) fn told(mut self, told: &'static str) -> Guest {
        self.told = told;
        self
    }

    pub(crate) fn heard(mut self, heard: fn(&[Heard])) -> Guest {
        self.heard = heard;
        self
    }

    pub(crate) fn check(mut self, check: fn(&Executed)) -> Guest {
        self.check = check;
        self
    }
}
