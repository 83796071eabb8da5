//! Requests of plugins: to what hooks.yaml grants, with secrets that no plugin sees, and written down.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::harness::{Host, Project, shop, until};

/// Head and body of each request, as they came; a path that begins with `/again` is answered with `x-again`.
struct Server {
    at: SocketAddr,
    seen: Arc<Mutex<Vec<(String, String)>>>,
    done: Arc<AtomicBool>,
    serving: Option<JoinHandle<()>>,
}

impl Server {
    fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let at = listener.local_addr().unwrap();
        let (seen, done) = (Arc::<Mutex<Vec<_>>>::default(), Arc::new(AtomicBool::new(false)));
        let (book, ended) = (Arc::clone(&seen), Arc::clone(&done));
        let serving = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if ended.load(Ordering::Relaxed) {
                    return;
                }
                serve(stream.unwrap(), &book);
            }
        });
        Server { at, seen, done, serving: Some(serving) }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.at)
    }

    fn seen(&self) -> Vec<(String, String)> {
        self.seen.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        drop(TcpStream::connect(self.at));
        self.serving.take().unwrap().join().unwrap();
    }
}

/// One request for each connection.
fn serve(stream: TcpStream, book: &Mutex<Vec<(String, String)>>) {
    let mut reader = BufReader::new(&stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).unwrap();
    let again = if head.contains(" /again") { "x-again: yes\r\n" } else { "" };
    book.lock().unwrap().push((head, String::from_utf8(body).unwrap()));
    let answer = format!("HTTP/1.1 200 OK\r\n{again}connection: close\r\ncontent-length: 4\r\n\r\nseen");
    (&stream).write_all(answer.as_bytes()).unwrap();
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .find_map(|line| line.split_once(": ").filter(|(known, _)| known.eq_ignore_ascii_case(name)))
        .map(|h| h.1)
}

fn ask(host: &Host<'_>, id: &str, method: &str, url: &str, headers: Value) -> Value {
    let body = (method == "POST").then(|| json!({ "text": "deployed" }));
    host.follow(&shop("ask", id, json!({ "method": method, "url": url, "headers": headers, "body": body })))
}

#[test]
fn a_plugin_sends_what_it_is_granted_and_the_host_fills_in_the_secret() {
    let server = Server::start();
    let project = Project::with(&["steps"]).env("CHAT_TOKEN", "xoxb-not-for-guests");
    let grant = format!("{{ to: 'POST http://{}', headers: {{ authorization: chat_token }} }}", server.at);
    project.write("hooks.yaml", format!("plugins: {{ steps: {{ grants: {{ http: [ {grant} ] }} }} }}\n"));
    let exposed = project.run(&["check"]);
    assert_eq!(exposed.code, Some(2));
    assert!(exposed.out.contains("others can read the secret"), "{exposed:?}");
    let grants = format!("grants: {{ networks: [ 127.0.0.0/8 ], http: [ {grant}, 'GET http://{}' ] }}", server.at);
    project.write("hooks.yaml", format!("plugins: {{ steps: {{ {grants} }} }}\n"));
    let checked = project.run(&["check"]);
    assert_eq!(checked.code, Some(0), "{checked:?}");
    let host = project.serve();

    let bearer = json!([["authorization", "Bearer {{secret:chat_token}}"]]);
    let run = ask(&host, "1", "POST", &server.url("/api/chat?to=dev"), bearer.clone());
    assert_eq!((&run["state"], &run["result"]["data"]["text"]), (&json!("succeeded"), &json!("seen")), "{run:#}");
    let seen = server.seen();
    let [(head, body)] = seen.as_slice() else { panic!("{seen:?}") };
    assert!(head.starts_with("POST /api/chat?to=dev HTTP/1.1\r\n"), "{head}");
    assert_eq!(header(head, "authorization"), Some("Bearer xoxb-not-for-guests"));
    assert_eq!(body, r#"{"text":"deployed"}"#);
    let sent = &run["attempts"][0]["requests"];
    let url = server.url("/api/chat");
    let expected = json!({
        "method": "POST", "url": url, "end": "answered", "status": 200, "reason": null, "ms": sent[0]["ms"],
        "sent_bytes": body.len(), "received_bytes": 4,
    });
    assert_eq!(sent, &json!([expected]));
    assert!(sent[0]["ms"].is_u64());

    // The secret goes where the grant says and nowhere else: this one is for the header of a POST.
    let run = ask(&host, "2", "GET", &server.url("/"), bearer);
    assert_eq!((&run["state"], &run["attempts"].as_array().unwrap().len()), (&json!("dead"), &1), "{run:#}");
    let denied = &run["attempts"][0]["requests"][0];
    assert_eq!(denied["end"], "denied", "{run:#}");
    assert!(denied["reason"].as_str().unwrap().contains("grant it in grants.http"), "{denied:#}");
    assert_eq!(server.seen().len(), 1);
    let everything = [host.get(&format!("runs/{}", run["id"].as_str().unwrap())).to_string(), project.log()].concat();
    assert!(!everything.contains("xoxb-not-for-guests"));
}

#[test]
fn check_compares_what_a_component_imports_with_what_it_is_granted() {
    let project = Project::with(&["steps", "ticker"]);
    project.write("hooks.yaml", "plugins: { ticker: { grants: { http: [ 'https://a.example' ] } } }\n");
    let checked = project.run(&["check", "--json"]).json();
    let warnings = checked["warnings"].to_string();
    assert!(warnings.contains("plugins.steps: steps.wasm may send requests"), "{checked:#}");
    assert!(warnings.contains("plugins.ticker.grants.http: ticker.wasm sends no requests"), "{checked:#}");
    let imports = |file: &str| {
        let plugins = checked["plugins"].as_array().unwrap();
        let plugin = plugins.iter().find(|plugin| plugin["file"].as_str().unwrap().ends_with(file)).unwrap();
        plugin["imports"].to_string()
    };
    assert!(imports("steps.wasm").contains("wasi:http/outgoing-handler@0.2"), "{checked:#}");
    assert!(!imports("ticker.wasm").contains("wasi:http"), "{checked:#}");
}

#[test]
fn each_attempt_of_a_run_sends_the_same_idempotency_key() {
    let server = Server::start();
    let project = Project::with(&["steps"]);
    let grants = format!("grants: {{ networks: [ 127.0.0.1/32 ], http: [ 'http://{}' ] }}", server.at);
    project.write("hooks.yaml", format!("plugins: {{ steps: {{ {grants} }} }}\n"));
    let host = project.serve();
    let run = ask(&host, "1", "POST", &server.url("/again"), json!([]));
    assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("succeeded"), &json!(2)), "{run:#}");
    ask(&host, "2", "POST", &server.url("/again"), json!([]));
    let keys: Vec<String> =
        server.seen().iter().map(|(head, _)| header(head, "idempotency-key").unwrap().to_owned()).collect();
    assert_eq!((keys.len(), &keys[0], &keys[2]), (4, &keys[1], &keys[3]));
    assert_ne!(keys[0], keys[2]);
}

#[test]
fn nothing_is_sent_without_a_grant_and_the_log_names_the_lines_to_add() {
    let server = Server::start();
    let project = Project::with(&["steps"]);
    let host = project.serve();
    let url = server.url("/");
    let denied = |id: &str| {
        let run = ask(&host, id, "GET", &url, json!([]));
        assert_eq!((&run["state"], &run["attempts_begun"]), (&json!("dead"), &json!(1)), "{run:#}");
        let request = run["attempts"][0]["requests"][0].clone();
        let lines = run["attempts"][0]["log"]["lines"].to_string();
        assert!(lines.contains("request refused"), "{lines}");
        (request["end"].clone(), request["reason"].as_str().unwrap().to_owned())
    };
    let (end, reason) = denied("1");
    let lines = format!("GET http://{}", server.at);
    assert!(end == "denied" && reason.contains(&lines) && reason.contains("grants.http"), "{reason}");
    // What it says is what helps, except that this address is not public.
    project.write("hooks.yaml", format!("plugins: {{ steps: {{ grants: {{ http: [ '{lines}' ] }} }} }}\n"));
    until("it is taken over", || (project.log_lines("were read anew") == 1).then_some(()));
    let (end, reason) = denied("2");
    assert!(end == "denied" && reason.contains("127.0.0.1") && reason.contains("grants.networks"), "{reason}");
    assert_eq!(server.seen(), []);
    let tried = host.get("plugins/steps")["denied"].clone();
    assert_eq!(
        (&tried[0]["kind"], &tried[0]["what"], &tried[0]["attempts"]),
        (&json!("request"), &json!(lines), &json!(2))
    );
    let shown = host.cli(&["plugins", "show", "steps"]);
    assert!(shown.text().contains(&lines) && shown.out.contains("grants.networks"), "{shown:?}");
}
