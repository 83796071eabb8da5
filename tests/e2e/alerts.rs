//! Somebody is told, once, when something is wrong and when it is right again, whatever happens in between.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use hookbox_core::secret::Secret;
use hookbox_core::time::Timestamp;
use hookbox_core::verify::{Delivery, Scheme, Verifier};
use serde_json::{Value, json};

use crate::harness::receiver::{Received, Receiver};
use crate::harness::{Host, Project, now, shop, until};

const KEY: &str = "whsec_YWxlcnRzLWh1c2gtYWxlcnRzLWh1c2gtYWxlcnRz";

/// Takes mails, and keeps them as they came.
struct Sink {
    at: SocketAddr,
    mails: Arc<Mutex<Vec<String>>>,
    done: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Sink {
    fn start() -> Sink {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (mails, done) = (Arc::<Mutex<Vec<String>>>::default(), Arc::new(AtomicBool::new(false)));
        let (kept, ended) = (mails.clone(), done.clone());
        let serving = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                let _ = speak(&stream.unwrap(), &kept);
            }
        });
        Sink { at, mails, done, serving: Some(serving) }
    }

    fn mails(&self) -> Vec<String> {
        self.mails.lock().unwrap().clone()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.at));
        self.serving.take().unwrap().join().unwrap();
    }
}

/// RFC 5321, as little of it as a mail needs.
fn speak(mut stream: &TcpStream, mails: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut envelope, mut line) = (String::new(), String::new());
    stream.write_all(b"220 sink\r\n")?;
    while reader.read_line(&mut line)? > 0 {
        let word = line.get(..4).unwrap_or_default().to_ascii_uppercase();
        match word.as_str() {
            "DATA" => {
                stream.write_all(b"354 go on\r\n")?;
                let mut mail = std::mem::take(&mut envelope);
                while !mail.ends_with("\r\n.\r\n") {
                    if reader.read_line(&mut mail)? == 0 {
                        return Ok(());
                    }
                }
                mails.lock().unwrap().push(mail);
                stream.write_all(b"250 kept\r\n")?;
            }
            "QUIT" => return stream.write_all(b"221 bye\r\n"),
            _ => {
                envelope.push_str(&line);
                stream.write_all(b"250 sink\r\n")?;
            }
        }
        line.clear();
    }
    Ok(())
}

/// Makes a dead letter, once the host looks.
fn bury(host: &Host<'_>) {
    until("the host has looked", || (host.get("alerts")["channels"] != json!([])).then_some(()));
    assert_eq!(host.follow(&shop("doomed", "1", json!({})))["state"], "dead");
}

/// The states that messages of Standard Webhooks tell, each verified.
fn told(receiver: &Receiver) -> Vec<String> {
    let messages = receiver.seen();
    messages.iter().flat_map(|message| states(&verified(message))).collect()
}

fn states(message: &Value) -> Vec<String> {
    let alerts = message["data"]["alerts"].as_array().unwrap();
    alerts
        .iter()
        .map(|alert| format!("{} {}", alert["state"].as_str().unwrap(), alert["rule"].as_str().unwrap()))
        .collect()
}

fn verified(message: &Received) -> Value {
    let verifier = Verifier::new(Scheme::named("standard-webhooks").unwrap(), &[Secret::new(KEY).unwrap()], None);
    let headers: Vec<(String, &[u8])> =
        message.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes())).collect();
    let headers: Vec<(&str, &[u8])> = headers.iter().map(|(name, value)| (name.as_str(), *value)).collect();
    let delivery = Delivery { method: "POST", url: "", query: "", headers: &headers, body: &message.body };
    if let Err(refusal) = verifier.unwrap().verify(&delivery, Timestamp(now())) {
        panic!("{refusal}: {message:?}");
    }
    serde_json::from_slice(&message.body).unwrap()
}

struct Receivers {
    hook: Receiver,
    slack: Receiver,
    mail: Sink,
}

fn project(receivers: &Receivers) -> Project {
    let Receivers { hook, slack, mail } = receivers;
    let project = Project::with(&["steps"]).env("ALERT_KEY", KEY).env("SLACK_URL", slack.url("/services/T0/B0/hidden"));
    let config = format!(
        "
alerts:
  every: 1s
  group: 0s
  settle: 1s
  channels:
    hook: {{ webhook: {}, secret: {{ env: ALERT_KEY }} }}
    slack: {{ slack: {{ env: SLACK_URL }} }}
    mail: {{ mail: {{ server: 'smtp://{}', from: hookbox@example.com, to: [ops@example.com] }} }}
    own: {{ handler: steps/link }}
  rules:
    dead-letters: {{ more: 1, within: 20s }}
    handler-failing: off
    disk-low: off
",
        hook.url("/in"),
        mail.at,
    );
    project.write("hooks.yaml", config);
    project
}

/// What the handler got, oldest first.
fn of_handler(host: &Host<'_>) -> Vec<String> {
    let mut runs = host.all("runs?handler=link&state=succeeded");
    runs.reverse();
    let result = |run: &Value| host.get(&format!("runs/{}", run["id"].as_str().unwrap()))["result"]["data"].clone();
    runs.iter().flat_map(|run| states(&result(run))).collect()
}

#[test]
fn each_channel_is_told_once_that_something_is_wrong_and_once_that_it_is_right_over_a_restart() {
    let receivers = Receivers { hook: Receiver::start(), slack: Receiver::start(), mail: Sink::start() };
    let project = project(&receivers);
    let Receivers { hook, slack, mail } = &receivers;
    let host = project.serve();
    bury(&host);
    let firing = vec!["firing dead-letters".to_owned()];
    let all_know = |host: &Host<'_>, number: usize| {
        let counts = [told(hook).len(), slack.seen().len(), mail.mails().len(), of_handler(host).len()];
        (counts.iter().all(|count| *count >= number)).then_some(())
    };
    until("all know that it is wrong", || all_know(&host, 1));
    assert_eq!((told(hook), of_handler(&host)), (firing.clone(), firing.clone()));
    let shown = host.get("alerts");
    assert_eq!(shown["firing"][0]["rule"], "dead-letters", "{shown:#}");
    assert!(host.get_text("/alerts").contains("1 more dead letters within 20s"));
    host.stop();

    let host = project.serve();
    assert_eq!(host.get("alerts")["history"], json!([]));
    until("all know that it is right", || all_know(&host, 2));
    until("it is history", || (host.get("alerts")["history"][0]["rule"] == "dead-letters").then_some(()));
    let both = vec!["firing dead-letters".to_owned(), "resolved dead-letters".to_owned()];
    assert_eq!((told(hook), of_handler(&host)), (both.clone(), both));
    let ids: Vec<String> = hook.seen().iter().map(|m| m.header("webhook-id").unwrap().to_owned()).collect();
    assert!(ids[0] != ids[1], "{ids:?}");
    let texts: Vec<Value> = slack.seen().iter().map(|m| serde_json::from_slice(&m.body).unwrap()).collect();
    assert_eq!(texts.len(), 2);
    assert!(texts[0]["text"].as_str().unwrap().contains("FIRING dead-letters"), "{texts:?}");
    assert!(texts[1]["text"].as_str().unwrap().contains("RESOLVED dead-letters"), "{texts:?}");
    assert_eq!(slack.seen()[0].path, "/services/T0/B0/hidden");
    let mails = mail.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(
        mails[0].contains("RCPT TO:<ops@example.com>") && mails[0].contains("Subject: hookbox: 1 firing"),
        "{mails:?}"
    );
    assert!(mails[1].contains("Subject: hookbox: 1 resolved"), "{mails:?}");
    host.stop();
    assert!(!project.output().contains("hidden"), "the URL of Slack is a secret");
}

#[test]
fn a_message_that_is_not_taken_comes_again_as_the_same_one() {
    let receivers = Receivers { hook: Receiver::start(), slack: Receiver::start(), mail: Sink::start() };
    let project = project(&receivers);
    let hook = &receivers.hook;
    hook.answer_with(500);
    let host = project.serve();
    bury(&host);
    until("it was not taken", || (!hook.seen().is_empty()).then_some(()));
    let channel = |host: &Host<'_>| {
        let told = host.get("alerts")["channels"].clone();
        told.as_array().unwrap().iter().find(|channel| channel["name"] == "hook").unwrap().clone()
    };
    until("that is shown", || {
        (channel(&host)["failure"] == "it answered with 500 Internal Server Error").then_some(())
    });
    // What was not delivered is not lost with the host.
    host.kill();
    hook.answer_with(200);
    let host = project.serve();
    until("it was taken", || (channel(&host)["delivered"] != 0).then_some(()));
    let ids: Vec<String> = hook.seen().iter().map(|m| m.header("webhook-id").unwrap().to_owned()).collect();
    assert_eq!(ids[0], ids[1], "{ids:?}");
    assert_eq!(told(hook)[..2], ["firing dead-letters", "firing dead-letters"]);
}

/// Only what the host does at its start tells of it: nobody looked while it became a dead letter.
#[test]
fn a_run_that_is_lost_with_the_host_is_a_dead_letter_that_is_told() {
    let project = Project::with(&["steps"]);
    let once = "plugins: { steps: { handlers: { slow: { attempts: 1 } } } }";
    project.write("hooks.yaml", format!("alerts: {{ every: 1s }}\n{once}\n"));
    let host = project.serve();
    until("the host has looked", || project.path("data/alerts.json").exists().then_some(()));
    let event = host.accept(&shop("slow", "1", json!({ "until": now() + 120_000 })));
    let run = host.get(&format!("events/{event}"))["run_ids"][0].as_str().unwrap().to_owned();
    until("it runs", || (host.get(&format!("runs/{run}"))["state"] == "leased").then_some(()));
    host.kill();
    let host = project.serve();
    assert_eq!(host.ended_run(&run)["state"], "dead");
    until("that is told", || {
        let firing = host.get("alerts")["firing"].clone();
        firing.as_array().unwrap().iter().any(|alert| alert["rule"] == "dead-letters").then_some(())
    });
}

#[test]
fn what_a_provider_sent_since_the_last_look_is_known_after_a_stop() {
    let project = Project::with(&["steps"]);
    project.write("hooks.yaml", "alerts: { every: 10m, rules: { provider-silent: { after: { shop: 1h } } } }\n");
    let host = project.serve();
    until("the host has looked", || project.path("data/alerts.json").exists().then_some(()));
    let before = now();
    host.accept(&shop("doomed", "1", json!({})));
    until("it is a dead letter", || (host.idle()["counts"]["dead"] == 1).then_some(()));
    host.stop();
    let kept: Value = serde_json::from_slice(&std::fs::read(project.path("data/alerts.json")).unwrap()).unwrap();
    let heard = kept["book"]["seen"]["providers"]["shop"].as_u64().unwrap();
    assert!(heard >= before, "{kept:#}");
    // The next start finds the dead letter, however long the host is away.
    assert_eq!(kept["book"]["seen"]["dead"].as_array().unwrap().last().unwrap()[1], 0, "{kept:#}");
}

#[test]
fn check_warns_of_a_provider_that_is_watched_and_is_none() {
    let project = Project::with(&[]);
    let rule = "alerts: { rules: { provider-silent: { after: { my_shop: 1h, my-shp: 1h } } } }";
    project.write("hooks.yaml", format!("providers: {{ my-shop: {{}} }}\n{rule}\n"));
    let warnings = project.run(&["check", "--json"]).json()["warnings"].to_string();
    assert!(warnings.contains("provider-silent.after.my-shp: there is no provider my-shp"), "{warnings}");
    assert!(!warnings.contains("provider-silent.after.my_shop"), "{warnings}");
}

#[test]
fn channels_are_read_anew_when_hooks_yaml_changes() {
    let receiver = Receiver::start();
    let project = Project::with(&[]).env("ALERT_KEY", KEY);
    // Longer than anybody here waits.
    project.write("hooks.yaml", "alerts: { every: 10m }\n");
    let host = project.serve();
    until("the host has looked", || project.path("data/alerts.json").exists().then_some(()));
    assert_eq!(host.get("alerts")["channels"], json!([]));
    let channel = format!("{{ webhook: {}, secret: {{ env: ALERT_KEY }} }}", receiver.url("/in"));
    let rules = "rules: { disk-low: { free: 100% } }";
    project.write(
        "hooks.yaml",
        format!("alerts: {{ every: 1s, group: 0s, channels: {{ pager: {channel} }}, {rules} }}\n"),
    );
    until("the channel is there", || (host.cli(&["alerts", "test", "pager"]).code == Some(0)).then_some(()));
    until("it is looked anew", || (told(&receiver).contains(&"firing disk-low".to_owned())).then_some(()));
    let kinds: Vec<Value> = receiver.seen().iter().map(|message| verified(message)["type"].clone()).collect();
    assert!(kinds.contains(&json!("hookbox.alerts.test")), "{kinds:?}");
}

#[test]
fn a_test_is_delivered_or_says_why_not() {
    let receivers = Receivers { hook: Receiver::start(), slack: Receiver::start(), mail: Sink::start() };
    let project = project(&receivers);
    let host = project.serve();
    for channel in ["hook", "slack", "mail", "own"] {
        let said = host.cli(&["alerts", "test", channel]);
        assert_eq!(said.code, Some(0), "{said:?}");
    }
    let message = verified(&receivers.hook.seen()[0]);
    assert_eq!((&message["type"], &message["data"]["alerts"]), (&json!("hookbox.alerts.test"), &json!([])));
    assert!(receivers.mail.mails()[0].contains("a test of this channel"));
    receivers.slack.answer_with(404);
    let said = host.cli(&["alerts", "test", "slack"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("it answered with 404") && !said.err.contains("hidden"), "{said:?}");
    let said = host.cli(&["alerts", "test", "nobody"]);
    assert!(said.err.contains("known: hook, mail, own, slack"), "{said:?}");
    let listed = host.cli(&["alerts", "list"]);
    assert!(listed.text().contains("nothing is wrong") && listed.out.contains("it answered with 404"), "{listed:?}");
}

#[test]
fn a_channel_whose_secret_is_not_there_ends_the_start_with_its_cure() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", "alerts: { channels: { ops: { slack: { env: SLACK_URL } } } }\n");
    for said in [project.serve_in_vain(), project.run(&["check"])] {
        assert_eq!(said.code, Some(2), "{said:?}");
        let told = format!("{}{}", said.out, said.err);
        assert!(told.contains("alerts.channels.ops: env SLACK_URL is not set"), "{said:?}");
    }
    let wrong = project.env("SLACK_URL", "ops-channel");
    let said = wrong.run(&["check"]);
    assert!(said.code == Some(2) && said.out.contains("must be the URL of an incoming webhook"), "{said:?}");
}
