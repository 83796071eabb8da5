//! Secrets that change while deliveries come in: none is lost, and what was taken away opens nothing.

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use ureq::http::Request;

use crate::harness::{Host, Project, SHOP, Sender, until};

const OLD: Sender = Sender { secret: "hush-old-91c2", ..SHOP };
const NEW: Sender = Sender { secret: "hush-new-03be", ..SHOP };

/// Puts a file in place as a whole, as tools that mean well do.
fn place(project: &Project, name: &str, contents: &str) {
    project.write("draft", contents);
    fs::rename(project.path("draft"), project.path(name)).unwrap();
}

fn taken_over(project: &Project, times: usize) {
    until("the change is taken over", || (project.log_lines("were read anew") == times).then_some(()));
}

/// A sender without a pause, which changes its secret when it is told to.
struct Stream {
    new: AtomicBool,
    stop: AtomicBool,
    accepted: AtomicU32,
}

impl Stream {
    /// Every delivery must be taken at once: none is sent again.
    fn send(&self, host: &Host<'_>) {
        for n in 0.. {
            let sender = if self.new.load(Ordering::SeqCst) { NEW } else { OLD };
            host.accept(&sender.sign("", format!(r#"{{"event_id":"{n}","type":"count"}}"#)));
            self.accepted.fetch_add(1, Ordering::SeqCst);
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    /// Some more have come since.
    fn flows(&self) {
        let before = self.accepted.load(Ordering::SeqCst);
        until("deliveries come", || (self.accepted.load(Ordering::SeqCst) >= before + 20).then_some(()));
    }
}

#[test]
fn a_rotation_loses_no_delivery() {
    let project = Project::with(&[]).bare();
    project.write("old.key", OLD.secret);
    place(&project, "hooks.yaml", "providers: { shop: { secrets: [ { file: old.key }, { file: new.key } ] } }\n");
    let host = project.serve();
    let stream = Stream { new: AtomicBool::new(false), stop: AtomicBool::new(false), accepted: AtomicU32::new(0) };
    std::thread::scope(|scope| {
        let sending = scope.spawn(|| stream.send(&host));
        stream.flows();
        place(&project, "new.key", &format!("{}\n", NEW.secret));
        taken_over(&project, 1);
        stream.flows();
        stream.new.store(true, Ordering::SeqCst);
        stream.flows();
        place(&project, "hooks.yaml", "providers: { shop: { secrets: [ { file: new.key } ] } }\n");
        taken_over(&project, 2);
        stream.flows();
        stream.stop.store(true, Ordering::SeqCst);
        sending.join().unwrap();
    });
    let accepted = stream.accepted.load(Ordering::SeqCst) as usize;
    assert_eq!(host.all("events").len(), accepted);
    assert_eq!(host.post(&OLD.sign("", "{}")).status, 401, "the old secret opens nothing");
}

/// Changes the one secret of the shop, and nothing else.
#[track_caller]
fn changes(begin: impl FnOnce(&Project), change: impl FnOnce(&Project)) {
    let project = Project::with(&[]).bare();
    begin(&project);
    let host = project.serve();
    host.accept(&OLD.sign("", r#"{"event_id":"1"}"#));
    assert_eq!(host.post(&NEW.sign("", r#"{"event_id":"2"}"#)).status, 401);
    change(&project);
    taken_over(&project, 1);
    host.accept(&NEW.sign("", r#"{"event_id":"2"}"#));
    assert_eq!(host.post(&OLD.sign("", r#"{"event_id":"3"}"#)).status, 401);
    for secret in [OLD.secret, NEW.secret] {
        assert!(!project.output().contains(secret), "a secret is told");
    }
}

fn in_a_file(project: &Project) {
    project.write("hooks.yaml", "providers: { shop: { secrets: [ { file: keys/shop } ] } }\n");
    fs::create_dir(project.path("keys")).unwrap();
}

#[test]
fn a_secret_in_dot_env_is_read_anew() {
    let variable = |sender: &Sender| format!("{}={}\n", sender.variable(), sender.secret);
    changes(|project| project.write(".env", variable(&OLD)), |project| place(project, ".env", &variable(&NEW)));
}

#[test]
fn a_secret_file_that_another_takes_the_place_of_is_read_anew() {
    let begin = |project: &Project| {
        in_a_file(project);
        project.write("keys/shop", OLD.secret);
    };
    changes(begin, |project| place(project, "keys/shop", NEW.secret));
}

#[test]
fn a_secret_file_of_the_same_size_and_time_is_read_anew() {
    assert_eq!(OLD.secret.len(), NEW.secret.len());
    let begin = |project: &Project| {
        in_a_file(project);
        project.write("keys/shop", OLD.secret);
    };
    changes(begin, |project| {
        let written = fs::metadata(project.path("keys/shop")).unwrap().modified().unwrap();
        project.write("draft", NEW.secret);
        fs::File::options().write(true).open(project.path("draft")).unwrap().set_modified(written).unwrap();
        fs::rename(project.path("draft"), project.path("keys/shop")).unwrap();
    });
}

/// As Kubernetes mounts secrets: `shop -> ..data/shop`, `..data -> ..1/`, and a rename of `..data` changes them all.
#[test]
fn a_secret_behind_a_link_that_is_swapped_is_read_anew() {
    let version = |project: &Project, name: &str, secret: &str| {
        fs::create_dir(project.path(&format!("keys/{name}"))).unwrap();
        project.write(&format!("keys/{name}/shop"), secret);
        symlink(name, project.path("keys/..draft")).unwrap();
        fs::rename(project.path("keys/..draft"), project.path("keys/..data")).unwrap();
    };
    let begin = |project: &Project| {
        in_a_file(project);
        version(project, "..1", OLD.secret);
        symlink("..data/shop", project.path("keys/shop")).unwrap();
    };
    changes(begin, |project| {
        version(project, "..2", NEW.secret);
        fs::remove_dir_all(project.path("keys/..1")).unwrap();
    });
}

#[test]
fn a_secret_that_is_emptied_leaves_the_old_one_in_place() {
    let project = Project::with(&[]).bare();
    in_a_file(&project);
    project.write("keys/shop", OLD.secret);
    let host = project.serve();
    for blank in ["", "\n"] {
        let before = project.log_lines("is not taken over");
        place(&project, "keys/shop", blank);
        until("the empty secret is told", || (project.log_lines("is not taken over") > before).then_some(()));
        host.accept(&OLD.sign("", format!(r#"{{"event_id":"{before}"}}"#)));
    }
    place(&project, "keys/shop", NEW.secret);
    taken_over(&project, 1);
    host.accept(&NEW.sign("", r#"{"event_id":"new"}"#));
}

#[test]
fn a_secret_that_cannot_be_used_ends_the_start_with_the_reason() {
    for (provider, secret, reason) in [
        ("shop", "", "must not be empty"),
        ("shop", " \t", "must not be empty"),
        ("shop", "hush ", "begins or ends with white space"),
        ("shop", "\nhush", "begins or ends with white space"),
        ("standard-webhooks", "hush", "must begin with whsec_"),
        ("standard-webhooks", "whsec_AAAA", "must decode to 24 to 64 bytes"),
        ("standard-webhooks", "whsec_not base64", "must be base64"),
    ] {
        let project = Project::with(&[]).bare().env("MADE_UP", secret);
        project.write("hooks.yaml", format!("providers: {{ {provider}: {{ secrets: [ {{ env: MADE_UP }} ] }} }}\n"));
        let said = project.serve_in_vain();
        assert_eq!(said.code, Some(2), "{provider} {secret:?}: {said:?}");
        assert!(said.err.contains(&format!("provider {provider}: ")) && said.err.contains(reason), "{said:?}");
        let checked = project.run(&["check"]);
        assert_eq!(checked.code, Some(2), "{checked:?}");
        assert!(checked.out.contains(reason), "{checked:?}");
        for told in [&said.err, &checked.out] {
            assert!(secret.trim().len() < 5 || !told.contains(secret.trim()), "the secret is told: {told}");
        }
    }
}

#[test]
fn every_secret_in_a_file_is_read_anew_and_one_that_waits_for_a_start_is_told() {
    let project = Project::with(&["welcome"]);
    project.write("ops.key", "old-token-of-operators");
    project.write("stripe.key", "old-key");
    let request =
        "{ to: POST https://api.example.com, headers: { authorization: { name: stripe, file: stripe.key } } }";
    let config = format!(
        "operator: {{ token: {{ file: ops.key }} }}\nplugins: {{ welcome: {{ grants: {{ http: [ {request} ] }} }} }}\n"
    );
    place(&project, "hooks.yaml", &config);
    let host = project.serve();
    let let_in = |token: &str| {
        let asked = Request::get(host.api("whoami")).header("Authorization", format!("Bearer {token}"));
        host.request(asked.body(Vec::new()).unwrap()).status == 200
    };
    let told = || project.log_lines("the secret of operator.token has changed");
    place(&project, "stripe.key", "new-key");
    taken_over(&project, 1);
    assert_eq!(told(), 0);
    place(&project, "ops.key", "new-token-of-operators");
    until("it is told", || (told() == 1).then_some(()));
    assert!(let_in("old-token-of-operators") && !let_in("new-token-of-operators"), "it counts from the next start");
    drop(host);
    assert!(!project.output().contains("-token-of-"));
}
