//! The release binary at work.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use ureq::Agent;

use crate::machine::{self, Others};
use crate::project::{Data, Project};

/// Until a host is given up.
const END_MAX: Duration = Duration::from_secs(120);

pub(crate) struct Host<'a> {
    project: &'a Project,
    child: Child,
    agent: Agent,
    ingress: String,
    pub(crate) operator: String,
    /// From the start of the process until it says that it is ready, and is.
    pub(crate) ready: Duration,
}

/// What one run of `hookbox bench` has shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    pub(crate) accepted_per_second: f64,
    pub(crate) finished_per_second: f64,
    pub(crate) ack_p99_ms: f64,
    /// CPU time of the host for each event, in microseconds.
    pub(crate) cpu_us: f64,
    /// What others took of the machine meanwhile.
    pub(crate) others: f64,
}

impl<'a> Host<'a> {
    /// Returns once it is ready.
    pub(crate) fn start(data: &Data<'a>) -> Host<'a> {
        Host::start_with(data, &[])
    }

    /// With more in its environment.
    pub(crate) fn start_with(data: &Data<'a>, environment: &[(&str, String)]) -> Host<'a> {
        let folder = data.path.to_str().unwrap();
        let local = "127.0.0.1:0";
        let arguments = ["serve", "--data", folder, "--listen", local, "--operator", local];
        let log = OpenOptions::new().create(true).append(true).open(data.project.log()).unwrap();
        let mut command = data.project.command(&arguments);
        command.envs(environment.iter().map(|(name, value)| (name, value)));
        let began = Instant::now();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let addresses = line.trim().strip_prefix("hookbox is ready: webhooks at ");
        let (ingress, operator) = addresses.and_then(|line| line.split_once(", operator at ")).unwrap();
        let agent = Agent::config_builder().proxy(None).build().into();
        let (ingress, operator) = (ingress.to_owned(), operator.to_owned());
        let mut host = Host { project: data.project, child, agent, ingress, operator, ready: Duration::ZERO };
        assert_eq!(host.health()["status"], "ok");
        host.ready = began.elapsed();
        host
    }

    /// Fails where it does not take webhooks.
    pub(crate) fn health(&self) -> Value {
        let text = self.agent.get(format!("{}/api/v1/health", self.operator)).call().unwrap();
        serde_json::from_reader(text.into_body().into_reader()).unwrap()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory in MiB, and the most that it ever was.
    pub(crate) fn memory(&self) -> (f64, f64) {
        (machine::memory(self.id(), "VmRSS"), machine::memory(self.id(), "VmHWM"))
    }

    /// Sends so many webhooks, as fast as they are taken, and waits until their runs have ended.
    pub(crate) fn load(&self, webhooks: u64) -> Load {
        self.load_at(None, webhooks)
    }

    /// Or so many a second.
    pub(crate) fn load_at(&self, rate: Option<u64>, webhooks: u64) -> Load {
        let mut command = self.project.command(&["bench", "--json", "--total", &webhooks.to_string()]);
        command.args(rate.map(|rate| format!("--rate={rate}")));
        command.env("HOOKBOX_URL", &self.operator).env("HOOKBOX_INGRESS", &self.ingress);
        let (others, before) = (Others::beside(Some(self.id())), machine::of_process(self.id()));
        let output = command.output().unwrap();
        let (others, spent) = (others.share(), machine::of_process(self.id()) - before);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&report["all_finished"], &report["refused"]), (&Value::Bool(true), &Value::from(0)), "{report}");
        let number = |name: &str| report[name].as_f64().unwrap();
        Load {
            accepted_per_second: number("accepted_per_second"),
            finished_per_second: number("finished_per_second"),
            ack_p99_ms: number("ack_p99_us") / 1000.0,
            cpu_us: spent * 1e6 / number("accepted"),
            others,
        }
    }

    /// Cuts it off: `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(mut self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let began = Instant::now();
        while self.child.try_wait().unwrap().is_none() {
            assert!(began.elapsed() < END_MAX, "the host does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
