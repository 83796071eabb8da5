//! `hookbox backup` beside a load, `restore`, and a host that goes on with what was restored.

use std::fs;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::harness::{Ended, Project, shop, until};

/// Senders beside the backup.
const SENDERS: usize = 4;

#[test]
fn a_backup_beside_a_load_has_every_acknowledged_event_and_a_restored_host_works_on() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let (acknowledged, stop) = (Mutex::new(Vec::new()), AtomicBool::new(false));
    let known = std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let (host, acknowledged, stop) = (&host, &acknowledged, &stop);
            scope.spawn(move || {
                for n in 0.. {
                    let body = json!({ "name": format!("{sender}-{n}"), "padding": "x".repeat(n % 9000) });
                    let id = host.accept(&shop("user.created", &format!("{sender}-{n}"), body));
                    acknowledged.lock().unwrap().push(id);
                    if stop.load(Ordering::SeqCst) {
                        return;
                    }
                }
            });
        }
        let acks = || acknowledged.lock().unwrap().len();
        until("a load is there", || (acks() >= 100).then_some(()));
        let known = acknowledged.lock().unwrap().clone();
        let made = host.cli(&["backup", "first.backup", "--json"]);
        // Whatever it said: the senders must end.
        stop.store(true, Ordering::SeqCst);
        let made = made.json();
        assert!(made["rows"].as_u64().unwrap() > 300 && made["files"] == 2, "{made}");
        known
    });
    host.idle();
    let before = host.get("health")["counts"].clone();
    let again = host.cli(&["backup", "first.backup"]);
    assert_eq!(again.code, Some(2), "{again:?}");
    assert!(again.err.contains("is there already"), "{again:?}");
    host.cli(&["backup", "last.backup"]).text();
    assert_eq!(host.stop(), Ended::Code(0));
    assert!(!project.path(".first.backup.draft").exists());

    // The one made beside the load: what was acknowledged before it began is in it.
    let first = restored(&project, "first.backup");
    first.write("acks", known.join("\n"));
    first.run(&["doctor", "--data", "data", "--has", "acks"]).text();
    let host = first.serve();
    host.idle();
    assert_eq!(host.follow(&shop("user.created", "later", json!({ "name": "Ada" })))["state"], "succeeded");
    // The sender sends again what it was not answered for; what was, is known.
    let repeated = host.post(&shop("user.created", "0-0", json!({ "name": "0-0", "padding": "" })));
    assert_eq!((repeated.status, repeated.str("status")), (200, "duplicate"), "{repeated:?}");
    assert_eq!(host.get("plugins/welcome")["state"], "active");
    assert_eq!(host.stop(), Ended::Code(0));

    // The one made at rest is everything.
    let last = restored(&project, "last.backup");
    let all = acknowledged.into_inner().unwrap();
    last.write("acks", all.join("\n"));
    last.run(&["doctor", "--data", "data", "--has", "acks"]).text();
    let host = last.serve();
    let after = host.get("health")["counts"].clone();
    for counted in ["events", "succeeded"] {
        assert!(after[counted] == before[counted] && after[counted].is_u64(), "{after} {before}");
    }
    assert_eq!(host.all("events").len(), all.len());
}

/// A new folder with what the backup has.
fn restored(from: &Project, file: &str) -> Project {
    let project = Project::with(&[]);
    fs::copy(from.path(file), project.path(file)).unwrap();
    assert_eq!(project.run(&["restore", file, "--check", "--json"]).json()["files"], 2);
    let told = project.run(&["restore", file, "--data", "data"]);
    assert!(told.text().contains("is restored into data"), "{told:?}");
    assert!(project.path("plugins/welcome.wasm").is_file());
    project
}

#[test]
fn a_file_that_is_cut_or_changed_is_refused_and_leaves_nothing() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    host.follow(&shop("user.created", "1", json!({ "name": "Ada" })));
    host.cli(&["backup", "whole"]).text();
    assert_eq!(host.stop(), Ended::Code(0));
    let whole = fs::read(project.path("whole")).unwrap();
    project.write("cut", &whole[..whole.len() * 2 / 3]);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 4;
    project.write("flipped", flipped);
    for (file, why) in [("cut", "it is cut off"), ("flipped", "was changed")] {
        for check in [&["--check"][..], &[]] {
            let said = project.run(&[&["restore", file, "--data", "new"], check].concat());
            assert_eq!(said.code, Some(1), "{said:?}");
            assert!(said.err.contains("no whole backup") && said.err.contains(why), "{said:?}");
            assert!(!project.path("new").exists());
        }
    }
    let taken = project.run(&["restore", "whole", "--data", "data"]);
    assert!(taken.code == Some(1) && taken.err.contains("is not empty"), "{taken:?}");
    project.run(&["restore", "whole", "--data", "new"]).text();
}

#[test]
fn a_migration_keeps_a_backup_and_says_what_it_did() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let running = project.run(&["migrate", "--data", "data"]);
    assert!(running.code == Some(1) && running.err.contains("another hookbox uses it"), "{running:?}");
    host.follow(&shop("user.created", "1", json!({ "name": "Ada" })));
    assert_eq!(host.stop(), Ended::Code(0));
    let counted = project.run(&["migrate", "--data", "data", "--dry-run", "--json"]).json();
    assert_eq!((&counted["old"], &counted["written"]), (&json!(0), &json!(false)), "{counted}");
    let said = project.run(&["migrate", "--data", "data", "--backup", "before"]);
    assert!(said.text().contains("a whole backup") && said.text().contains("newest form"), "{said:?}");
    project.run(&["restore", "before", "--check"]).text();
    assert_eq!(project.serve().all("events").len(), 1);
}
