//! The example of a proxy, in front of a real host.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::harness::{Host, Project, Said, Webhook, said, shop, until};

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/nginx.conf");
const STRANGER: &str = "X-Forwarded-For: 203.0.113.9";

struct Nginx {
    child: Child,
    plain: u16,
    tls: u16,
}

impl Nginx {
    /// As the example is, but for addresses and folders.
    fn start(project: &Project, host: &Host<'_>) -> Nginx {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        fs::create_dir(project.path("certificates")).unwrap();
        project.write("certificates/hooks.pem", cert.pem());
        project.write("certificates/hooks.key", signing_key.serialize_pem());
        let free = || TcpListener::bind("127.0.0.1:0").unwrap();
        let ports = [free(), free()];
        let [plain, tls] = [0, 1].map(|at| ports[at].local_addr().unwrap().port());
        drop(ports);
        let own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {};", project.path(kind).display()))
            .concat();
        let example = fs::read_to_string(EXAMPLE).unwrap();
        let mut text = example.clone();
        for (from, to) in [
            ("/var/run/nginx.pid", project.path("nginx.pid").display().to_string()),
            ("server hookbox:8080", format!("server {}", host.ingress.trim_start_matches("http://"))),
            ("listen 80 ", format!("listen 127.0.0.1:{plain} ")),
            ("listen 443 ", format!("listen 127.0.0.1:{tls} ")),
            ("http {", format!("http {{ {own}")),
        ] {
            assert!(text.contains(from), "the example has no {from:?} any more");
            text = text.replacen(from, &to, 1);
        }
        project.write("nginx.conf", text);
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx"].into_iter().find(|path| Path::new(path).is_file());
        let mut command = Command::new(program.unwrap_or_else(|| panic!("nginx is missing: run tests/run")));
        command.arg("-p").arg(project.path("")).arg("-c").arg(project.path("nginx.conf")).args(["-g", "daemon off;"]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("nginx listens", || TcpStream::connect(("127.0.0.1", tls)).ok());
        Nginx { child, plain, tls }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its workers go with it, which they would not where it is killed.
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        self.child.wait().unwrap();
    }
}

fn curl(project: &Project, nginx: &Nginx, path: &str, webhook: &Webhook) -> Said {
    let mut command = Command::new("curl");
    project.surround(&mut command);
    project.write("body", &webhook.body);
    command.args(["--silent", "--show-error", "--cacert", "certificates/hooks.pem", "--data-binary", "@body"]);
    command.args(["--header", STRANGER, "--write-out", "\n%{http_code}"]);
    for (name, value) in &webhook.headers {
        command.arg("--header").arg(format!("{name}: {value}"));
    }
    said(command.arg(format!("https://localhost:{}{path}", nginx.tls)))
}

#[test]
fn webhooks_come_through_the_proxy_of_the_example_and_nothing_else_does() {
    let project = Project::with(&["welcome"]);
    project.write("hooks.yaml", json!({ "server": { "trusted_proxies": ["127.0.0.1/32"] } }).to_string());
    let host = project.serve();
    let nginx = Nginx::start(&project, &host);
    let path = "/api/v1/webhooks/webhook/shop";
    let taken = curl(&project, &nginx, path, &shop("user.created", "1", json!({ "data": { "name": "Ada" } })));
    assert!(taken.text().ends_with("\n202"), "{taken:?}");
    assert_eq!(host.idle()["counts"]["succeeded"], 1);
    let forged = shop("user.created", "2", json!({})).without("X-Webhook-Signature");
    let refused = curl(&project, &nginx, path, &forged);
    assert!(refused.text().ends_with("\n401"), "{refused:?}");
    let source = host.get("providers/shop")["recent_refusals"][0]["source"].clone();
    assert_eq!(source, "127.0.0.1", "what a stranger writes of itself is not passed on");
    // The largest body that is allowed goes through, and one that is larger is refused by whoever says why.
    let large = shop("user.created", "3", json!({ "data": { "name": "x".repeat(1_000_000) } }));
    assert!(curl(&project, &nginx, path, &large).text().ends_with("\n202"));
    let too_large = shop("user.created", "4", json!({ "data": { "name": "x".repeat(2_000_000) } }));
    let refused = curl(&project, &nginx, path, &too_large);
    assert!(refused.text().contains("urn:hookbox:problem:") && refused.text().ends_with("\n413"), "{refused:?}");
    for hidden in ["/", "/metrics", "/api/v1/runs", "/api/v1/webhooks"] {
        let answer = curl(&project, &nginx, hidden, &forged);
        assert!(answer.text().ends_with("\n404"), "{hidden}: {answer:?}");
    }
    let mut plain = Command::new("curl");
    project.surround(&mut plain);
    let url = format!("http://127.0.0.1:{}{path}", nginx.plain);
    let plain = said(plain.args(["--silent", "--output", "none", "--write-out", "%{http_code}", &url]));
    assert_eq!(plain.text().trim(), "404", "no signature travels in the clear");
}
