//! Plugins that operators send to a running host.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use serde_json::{Value, json};
use ureq::http::Request;

use crate::harness::{Answer, Host, Project, Said, digest, marked, number, shop, until};
use crate::random::Random;

const TOKEN: &str = "hush-operator-31";
/// Uploads that a kill may cut off.
const KILLS: u64 = 4;
/// A kill comes within so many milliseconds.
const KILL_MS: usize = 400;

fn project() -> Project {
    Project::with(&[]).env("HOOKBOX_TOKEN", TOKEN)
}

fn push(project: &Project, host: &Host<'_>, plugin: &str, bytes: &[u8]) -> Said {
    project.write(&format!("{plugin}.wasm"), bytes);
    host.cli(&["plugins", "push", &format!("{plugin}.wasm"), "--json"])
}

fn shown(host: &Host<'_>, plugin: &str) -> Value {
    host.cli(&["plugins", "show", plugin, "--json"]).json()
}

fn in_folder(project: &Project) -> Vec<String> {
    let names = fs::read_dir(project.path("plugins")).unwrap();
    let mut names: Vec<String> = names.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What was refused is removed once its answer is on disk.
fn until_folder_holds(project: &Project, files: &[&str]) {
    until("the folder holds nothing else", || (in_folder(project) == files).then_some(()));
}

fn send(host: &Host<'_>, query: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let mut request = Request::post(host.api(&format!("plugins{query}")));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    host.request(request.body(body.to_vec()).unwrap())
}

#[test]
fn a_pushed_plugin_serves_and_lies_in_the_folder() {
    let project = project();
    let host = project.serve();
    let (one, two) = (marked("one............."), marked("two............."));
    let answer = push(&project, &host, "steps", &one).json();
    assert_eq!((&answer["name"], &answer["digest"]), (&json!("steps"), &json!(digest(&one))), "{answer:#}");
    assert_eq!(in_folder(&project), ["steps.wasm"]);
    let answer = push(&project, &host, "steps", &two).json();
    assert_eq!(answer["digest"], digest(&two));
    assert_eq!(fs::read(project.path("plugins/steps.wasm")).unwrap(), two);
    // Again: it serves already.
    assert_eq!(push(&project, &host, "steps", &two).json()["digest"], digest(&two));
    assert_eq!(shown(&host, "steps")["history"].as_array().unwrap().len(), 2);
    host.accept(&shop("version", "1", json!({})));
    host.stop();
    let host = project.serve();
    assert_eq!(shown(&host, "steps")["digest"], digest(&two));
}

#[test]
fn a_push_needs_a_token_and_says_how_to_set_one() {
    let project = Project::with(&[]);
    let host = project.serve();
    let wasm = ("Content-Type", "application/wasm");
    let answer = send(&host, "?name=steps", &[wasm], &marked("one............."));
    assert_eq!((answer.status, answer.str("type")), (403, "urn:hookbox:problem:token-unset"), "{answer:?}");
    assert!(answer.str("detail").contains("HOOKBOX_TOKEN"), "{answer:?}");
    let said = push(&project, &host, "steps", &marked("one............."));
    assert!(said.code == Some(1) && said.out.contains("HOOKBOX_TOKEN"), "{said:?}");
    assert_eq!(in_folder(&project), Vec::<String>::new());
}

#[test]
fn an_upload_that_says_too_little_is_refused() {
    let project = project();
    let host = project.serve();
    let token = format!("Bearer {TOKEN}");
    let (wasm, token) = (("Content-Type", "application/wasm"), ("Authorization", token.as_str()));
    let signed = ("Hookbox-Signature", "no base64!");
    for (query, headers, status, part) in [
        ("?name=steps", vec![wasm], 401, "Authorization"),
        ("?name=steps", vec![token, ("Content-Type", "text/plain")], 415, "application/wasm"),
        ("?name=steps", vec![token, wasm, ("Origin", "https://evil.example")], 403, "page of this host"),
        ("", vec![token, wasm], 422, "?name="),
        ("?name=No%20Name", vec![token, wasm], 422, "name"),
        ("?name=steps&force=1", vec![token, wasm], 400, "known: name"),
        ("?name=steps", vec![token, wasm, signed], 422, ".minisig"),
    ] {
        let answer = send(&host, query, &headers, b"\0asm");
        assert_eq!(answer.status, status, "{query} {headers:?}: {answer:?}");
        assert!(answer.str("detail").contains(part), "{part}: {answer:?}");
    }
    assert_eq!(in_folder(&project), Vec::<String>::new());
}

#[test]
fn an_upload_that_is_no_good_changes_nothing() {
    let project = project();
    let host = project.serve();
    let good = marked("one.............");
    push(&project, &host, "steps", &good).json();
    for (plugin, bytes, cause, part) in [
        ("steps", b"\0asm\x01\0\0\0".to_vec(), "core-module", "wasm-tools component new"),
        ("steps", b"".to_vec(), "not-wasm", "no WebAssembly"),
        ("other", good.clone(), "bad-description", "name the file after the plugin"),
        ("stripe", good.clone(), "name-taken", "give the plugin another name"),
    ] {
        let said = push(&project, &host, plugin, &bytes);
        assert!(
            said.code == Some(1) && said.out.contains(cause) && said.out.contains(part),
            "{plugin} {cause}: {said:?}"
        );
    }
    let token = format!("Bearer {TOKEN}");
    let headers = [("Content-Type", "application/wasm"), ("Authorization", token.as_str())];
    let answer = send(&host, "?name=steps", &headers, b"\0asm\x01\0\0\0");
    assert_eq!((answer.status, answer.str("cause")), (422, "core-module"), "{answer:?}");
    until_folder_holds(&project, &["steps.wasm"]);
    assert_eq!(fs::read(project.path("plugins/steps.wasm")).unwrap(), good);
    let listed = host.cli(&["plugins", "list", "--json"]).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed:#}");
    assert_eq!(listed["items"][0]["digest"], digest(&good));
    assert!(project.log().contains("an upload of steps was refused"), "{}", project.log());
}

#[test]
fn a_version_that_was_rolled_back_from_serves_where_it_is_pushed() {
    let project = project();
    let host = project.serve();
    let (one, two) = (marked("one............."), marked("two............."));
    push(&project, &host, "steps", &one).json();
    push(&project, &host, "steps", &two).json();
    host.cli(&["plugins", "rollback", "steps"]).text();
    assert_eq!(shown(&host, "steps")["digest"], digest(&one));
    let answer = push(&project, &host, "steps", &two).json();
    assert_eq!((&answer["digest"], &answer["rejected"]), (&json!(digest(&two)), &json!([])), "{answer:#}");
    host.stop();
    let host = project.serve();
    assert_eq!(shown(&host, "steps")["digest"], digest(&two));
}

#[test]
fn a_signature_goes_beside_its_file() {
    let project = project();
    let host = project.serve();
    project.write("steps.wasm.minisig", "untrusted comment: signed\n");
    push(&project, &host, "steps", &marked("one.............")).json();
    assert_eq!(in_folder(&project), ["steps.wasm", "steps.wasm.minisig"]);
    fs::remove_file(project.path("steps.wasm.minisig")).unwrap();
    push(&project, &host, "steps", &marked("two.............")).json();
    assert_eq!(in_folder(&project), ["steps.wasm"], "a signature of another file is none");
}

#[test]
fn an_upload_is_trusted_by_its_signature() {
    let project = project();
    let key = project.run(&["sign-plugin", "--generate", "--no-password", "--key", "ours.key", "--json"]).json();
    project.write("hooks.yaml", format!("trust: {{ keys: [ {} ] }}\n", key["public_key"].as_str().unwrap()));
    let host = project.serve();
    let (one, two) = (marked("one............."), marked("two............."));
    let said = push(&project, &host, "steps", &one);
    assert!(said.code == Some(1) && said.out.contains("untrusted-"), "{said:?}");
    until_folder_holds(&project, &[]);
    for version in [&one, &two] {
        project.write("steps.wasm", version);
        project.run(&["sign-plugin", "steps.wasm", "--key", "ours.key"]).text();
        assert_eq!(push(&project, &host, "steps", version).json()["digest"], digest(version));
    }
    // The signature of another version.
    let said = push(&project, &host, "steps", &one);
    assert!(said.code == Some(1) && said.out.contains("untrusted-"), "{said:?}");
    host.cli(&["plugins", "rollback", "steps"]).text();
    assert_eq!(shown(&host, "steps")["digest"], digest(&one));
    host.stop();
    let host = project.serve();
    assert_eq!(shown(&host, "steps")["digest"], digest(&one));
}

/// Sends a head and the beginning of a body.
fn begin(host: &Host<'_>, length: u64) -> TcpStream {
    let address = host.operator.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /api/v1/plugins?name=steps HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {TOKEN}\r\n\
         Content-Type: application/wasm\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n\0asm"
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}

#[test]
fn half_an_upload_is_never_seen() {
    let project = project();
    let host = project.serve();
    drop(begin(&host, 1000));
    // As soon as the one that was cut off is done with.
    until("it is too large", || {
        let mut answer = String::new();
        let _ = begin(&host, (64 << 20) + 1).read_to_string(&mut answer);
        answer.starts_with("HTTP/1.1 413").then_some(())
    });
    // Where one is under way, another has to wait.
    let under_way = begin(&host, 1000);
    until("another is put off", || {
        push(&project, &host, "steps", &marked("one.............")).out.contains("another upload").then_some(())
    });
    drop(under_way);
    let pushed = until("its place is free", || {
        let said = push(&project, &host, "steps", &marked("one............."));
        (said.code == Some(0)).then_some(said)
    });
    assert_eq!(pushed.json()["digest"], digest(&marked("one.............")));
    assert_eq!(in_folder(&project), ["steps.wasm"]);
}

#[test]
fn a_host_that_is_killed_in_an_upload_has_one_version_or_the_other() {
    let kills = number("HOOKBOX_PUSH_KILLS", KILLS);
    let project = project();
    let mut random = Random::new(1, 0);
    let mut host = project.serve();
    push(&project, &host, "steps", &marked("before..........")).json();
    for kill in 0..kills {
        let before = shown(&host, "steps")["digest"].clone();
        let version = marked(&format!("kill{kill:012}"));
        thread::scope(|scope| {
            let pushing = scope.spawn(|| push(&project, &host, "steps", &version));
            thread::sleep(std::time::Duration::from_millis(random.below(KILL_MS) as u64));
            kill_process(host.id());
            pushing.join().unwrap();
        });
        host.kill();
        host = project.serve();
        // A command that was kept is obeyed now.
        let wanted = [before, json!(digest(&version))];
        until("the folder holds what serves, and nothing else", || {
            let serves = shown(&host, "steps")["digest"].clone();
            let file = digest(&fs::read(project.path("plugins/steps.wasm")).unwrap());
            (in_folder(&project) == ["steps.wasm"] && wanted.contains(&serves) && serves == json!(file)).then_some(())
        });
    }
}

fn kill_process(id: u32) {
    use rustix::process::{Pid, Signal};
    rustix::process::kill_process(Pid::from_raw(i32::try_from(id).unwrap()).unwrap(), Signal::KILL).unwrap();
}
