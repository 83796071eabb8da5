//! As a service: what systemd is told, and the file that runs anywhere.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::Command;

use serde_json::json;

use crate::harness::{Ended, Host, Project, SHOP, environment, shop, until};

fn told(socket: &UnixDatagram) -> String {
    let mut text = [0; 256];
    let length = socket.recv(&mut text).unwrap();
    String::from_utf8(text[..length].to_vec()).unwrap()
}

#[test]
fn systemd_is_told_when_the_host_is_ready_and_when_it_stops() {
    let project = Project::with(&["welcome"]);
    let socket = UnixDatagram::bind(project.path("notify")).unwrap();
    let project = project.env("NOTIFY_SOCKET", socket.local_addr().unwrap().as_pathname().unwrap());
    let host = project.serve();
    assert_eq!(told(&socket).trim(), "READY=1");
    assert_eq!(host.follow(&shop("user.created", "1", json!({ "name": "Ada" })))["state"], "succeeded");
    assert_eq!(host.stop(), Ended::Code(0));
    assert_eq!(told(&socket).trim(), "STOPPING=1");
}

#[test]
fn a_host_that_is_asked_to_stop_while_it_starts_begins_nothing_and_ends_well() {
    let project = Project::with(&["welcome"]);
    project.write("hooks.yaml", "providers: { shop: { secrets: [ { file: shop.key } ] } }\n");
    assert!(Command::new("mkfifo").arg(project.path("shop.key")).status().unwrap().success());
    let mut host = Host::begin(&project, project.command(&Host::arguments("serve")));
    // Both ends wait for each other: once it is open, the host is at its secrets, and none of its ports is.
    let mut secret = fs::File::options().write(true).open(project.path("shop.key")).unwrap();
    host.ask_to_stop();
    project.write("draft", SHOP.secret);
    fs::rename(project.path("draft"), project.path("shop.key")).unwrap();
    secret.write_all(SHOP.secret.as_bytes()).unwrap();
    drop(secret);
    assert_eq!(host.wait(), Ended::Code(0), "{}", project.log());
    assert_eq!(project.log_lines("stopped before any run was begun"), 1, "{}", project.log());
}

#[test]
fn a_start_that_waits_is_cut_by_asking_twice() {
    let project = Project::with(&["welcome"]);
    project.write("hooks.yaml", "providers: { shop: { secrets: [ { file: shop.key } ] } }\n");
    assert!(Command::new("mkfifo").arg(project.path("shop.key")).status().unwrap().success());
    let mut host = Host::begin(&project, project.command(&Host::arguments("serve")));
    // It waits for what is never written.
    let _secret = fs::File::options().write(true).open(project.path("shop.key")).unwrap();
    host.ask_to_stop();
    until("the first is told", || (project.log_lines("the start is finished first") == 1).then_some(()));
    host.ask_to_stop();
    assert_eq!(host.wait(), Ended::Code(1), "{}", project.log());
}

/// `HOOKBOX_STATIC` names what `deploy/static` has built: it takes minutes, so nobody builds it here.
#[test]
fn a_static_binary_serves_a_webhook() {
    let Some(binary) = environment("HOOKBOX_STATIC") else {
        eprintln!("not tried: build it with deploy/static, and name it in HOOKBOX_STATIC");
        return;
    };
    // Named as seen from where `tests/run` is started.
    let binary = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(binary).canonicalize().unwrap();
    let linked = Command::new("ldd").arg(&binary).output().unwrap();
    let linked = String::from_utf8_lossy(&linked.stdout).into_owned() + &String::from_utf8_lossy(&linked.stderr);
    assert!(linked.contains("statically linked") || linked.contains("not a dynamic executable"), "{linked}");
    let project = Project::with(&["welcome"]);
    let mut command = Command::new(&binary);
    project.surround(command.args(Host::arguments("serve")));
    let host = Host::start_by(&project, command);
    for n in 0..100 {
        let run = host.follow(&shop("user.created", &n.to_string(), json!({ "name": "Ada" })));
        assert_eq!(run["state"], "succeeded", "{run:#}");
    }
    assert_eq!(host.stop(), Ended::Code(0));
    project.run(&["doctor", "--data", "data"]).text();
}
