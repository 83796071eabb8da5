//! A running host. It ends with its handle, whatever the test does.

use std::fs::{File, OpenOptions};
use std::process::{Child, Command, ExitStatus};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use ureq::Agent;
use ureq::http::{HeaderMap, Request};

use super::{Project, Said, Webhook, said, until};

/// Lines of the log that are shown when a test fails.
const SHOWN_MAX: usize = 60;

pub(crate) struct Host<'a> {
    project: &'a Project,
    child: Child,
    /// Its standard output goes to the file `stdout-START`.
    start: u32,
    agent: Agent,
    /// `http://ADDRESS`
    pub(crate) ingress: String,
    pub(crate) operator: String,
}

/// How a host came to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    Code(i32),
    Killed,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    /// The body as it came.
    pub(crate) text: String,
}

impl<'a> Host<'a> {
    pub(crate) fn arguments(command: &str) -> [&str; 11] {
        let local = "127.0.0.1:0";
        [
            command,
            "--config",
            "hooks.yaml",
            "--plugins",
            "plugins",
            "--data",
            "data",
            "--listen",
            local,
            "--operator",
            local,
        ]
    }

    /// Starts it and waits until it is ready.
    pub(crate) fn start(project: &'a Project, command: &str) -> Host<'a> {
        Host::start_by(project, project.command(&Host::arguments(command)))
    }

    /// Starts it by a command of one's own, whose process becomes the host.
    pub(crate) fn start_by(project: &'a Project, command: Command) -> Host<'a> {
        let mut host = Host::begin(project, command);
        let line = until("the host is ready", || {
            host.assert_alive();
            host.stdout().lines().find_map(|line| line.strip_prefix("hookbox is ready: ").map(str::to_owned))
        });
        let addresses = line.strip_prefix("webhooks at ").and_then(|line| line.split_once(", operator at ")).unwrap();
        (host.ingress, host.operator) = (addresses.0.to_owned(), addresses.1.to_owned());
        host
    }

    /// Without waiting for anything: its addresses are not known.
    pub(crate) fn begin(project: &'a Project, mut command: Command) -> Host<'a> {
        let start = project.next_start();
        let log = OpenOptions::new().create(true).append(true).open(project.path("stderr")).unwrap();
        let out = File::create(project.path(&format!("stdout-{start}"))).unwrap();
        let child = command.stdout(out).stderr(log).spawn().unwrap();
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            // A host may close a connection whose request it did not read to the end.
            .max_idle_connections(0)
            .proxy(None)
            .build()
            .into();
        Host { project, child, start, agent, ingress: String::new(), operator: String::new() }
    }

    pub(crate) fn stdout(&self) -> String {
        std::fs::read_to_string(self.project.path(&format!("stdout-{}", self.start))).unwrap()
    }

    pub(crate) fn assert_alive(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert_eq!(ended, None, "the host ended by itself:\n{}", self.project.log());
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    // Webhooks.

    pub(crate) fn webhook_url(&self, provider: &str) -> String {
        format!("{}/api/v1/webhooks/webhook/{provider}", self.ingress)
    }

    pub(crate) fn post(&self, webhook: &Webhook) -> Answer {
        self.try_post(webhook).unwrap()
    }

    /// Fails where nobody answers.
    pub(crate) fn try_post(&self, webhook: &Webhook) -> Result<Answer, ureq::Error> {
        let mut request = Request::post(self.webhook_url(&webhook.provider));
        for (name, value) in &webhook.headers {
            request = request.header(name, value);
        }
        self.answer(request.body(webhook.body.clone()).unwrap())
    }

    /// Posts what is new to the host; returns the event's id.
    #[track_caller]
    pub(crate) fn accept(&self, webhook: &Webhook) -> String {
        let answer = self.post(webhook);
        assert_eq!((answer.status, answer.str("status")), (202, "accepted"), "{answer:?}");
        answer.str("id").to_owned()
    }

    // The operator's API; paths are below `/api/v1/`.

    pub(crate) fn ask(&self, path: &str) -> Answer {
        self.request(Request::get(self.api(path)).body(Vec::new()).unwrap())
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let answer = self.ask(path);
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.body
    }

    /// A page of the operator's listener that is no JSON.
    pub(crate) fn get_text(&self, path: &str) -> String {
        self.request(Request::get(format!("{}{path}", self.operator)).body(Vec::new()).unwrap()).text
    }

    pub(crate) fn write(&self, path: &str) -> Answer {
        let request = Request::post(self.api(path)).header("Content-Type", "application/json");
        self.request(request.body(b"{}".to_vec()).unwrap())
    }

    pub(crate) fn request(&self, request: Request<Vec<u8>>) -> Answer {
        self.try_request(request).unwrap()
    }

    /// Fails where nobody answers.
    pub(crate) fn try_request(&self, request: Request<Vec<u8>>) -> Result<Answer, ureq::Error> {
        self.answer(request)
    }

    pub(crate) fn api(&self, path: &str) -> String {
        format!("{}/api/v1/{path}", self.operator)
    }

    /// Every row of a list, page by page.
    pub(crate) fn all(&self, path: &str) -> Vec<Value> {
        let separator = if path.contains('?') { '&' } else { '?' };
        let (mut rows, mut cursor) = (Vec::new(), String::new());
        for _ in 0..10_000 {
            let page = self.get(&format!("{path}{separator}limit=200{cursor}"));
            rows.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
        panic!("{path} has no last page");
    }

    /// The run in the end.
    pub(crate) fn ended_run(&self, id: &str) -> Value {
        until(&format!("run {id} has ended"), || {
            let run = self.get(&format!("runs/{id}"));
            ["succeeded", "dead", "cancelled"].iter().any(|state| run["state"] == *state).then_some(run)
        })
    }

    /// The only run of an event, in the end.
    pub(crate) fn run_of(&self, event: &str) -> Value {
        let runs = self.get(&format!("events/{event}"))["run_ids"].clone();
        assert_eq!(runs.as_array().unwrap().len(), 1, "{runs}");
        self.ended_run(runs[0].as_str().unwrap())
    }

    /// Posts it and follows its only run to the end.
    #[track_caller]
    pub(crate) fn follow(&self, webhook: &Webhook) -> Value {
        self.run_of(&self.accept(webhook))
    }

    /// Waits until nothing is pending or running.
    pub(crate) fn idle(&self) -> Value {
        until("the queue is empty", || {
            let health = self.get("health");
            (health["queue"]["pending"] == 0 && health["queue"]["leased"] == 0).then_some(health)
        })
    }

    /// A command that speaks to this host.
    pub(crate) fn cli(&self, arguments: &[&str]) -> Said {
        let mut command = self.project.command(arguments);
        said(command.env("HOOKBOX_URL", &self.operator).env("HOOKBOX_INGRESS", &self.ingress))
    }

    // The end.

    /// Cuts it off: `kill -9`.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits.
    pub(crate) fn stop(mut self) -> Ended {
        self.ask_to_stop();
        self.wait()
    }

    /// SIGHUP.
    pub(crate) fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).unwrap();
    }

    pub(crate) fn ask_to_stop(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    pub(crate) fn wait(&mut self) -> Ended {
        let status: ExitStatus = until("the host has ended", || self.child.try_wait().unwrap());
        status.code().map_or(Ended::Killed, Ended::Code)
    }

    fn answer(&self, request: Request<Vec<u8>>) -> Result<Answer, ureq::Error> {
        let mut response = self.agent.run(request)?;
        let status = response.status().as_u16();
        let text = response.body_mut().with_config().limit(64 << 20).read_to_string()?;
        let headers = response.headers().clone();
        Ok(Answer { status, headers, body: serde_json::from_str(&text).unwrap_or_default(), text })
    }
}

impl Drop for Host<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.project.log();
            let lines: Vec<&str> = log.lines().collect();
            eprintln!("the host's log:\n{}", lines[lines.len().saturating_sub(SHOWN_MAX)..].join("\n"));
        }
    }
}

impl Answer {
    /// A member of the body that is text.
    #[track_caller]
    pub(crate) fn str(&self, name: &str) -> &str {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}"))
    }
}
