//! Logging in by an identity provider.

mod provider;

use std::net::TcpListener;

use serde_json::json;
use ureq::Agent;
use ureq::http::{Request, Response};

use crate::harness::{Host, Project};
use crate::pages::browse;
use provider::{CLIENT, Provider, SECRET};

/// A browser that is told each step.
struct Browser {
    agent: Agent,
    cookies: Vec<String>,
}

impl Browser {
    fn new() -> Browser {
        let config = Agent::config_builder().max_redirects(0).http_status_as_error(false).max_idle_connections(0);
        Browser { agent: config.proxy(None).build().into(), cookies: Vec::new() }
    }

    fn get(&mut self, url: &str) -> (u16, String, String) {
        let request = Request::get(url).header("Cookie", self.cookies.join("; ")).header("Accept", "text/html");
        let mut answer: Response<ureq::Body> = self.agent.run(request.body(()).unwrap()).unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let cookie = cookie.to_str().unwrap();
            assert!(cookie.contains("HttpOnly"), "{cookie}");
            self.cookies.push(cookie.split(';').next().unwrap().to_owned());
        }
        let location = answer.headers().get("location").map_or("", |value| value.to_str().unwrap()).to_owned();
        (answer.status().as_u16(), location, answer.body_mut().read_to_string().unwrap())
    }

    /// To the provider and back, but not in again.
    fn led_back(&mut self, host: &Host<'_>) -> String {
        let (status, provider, told) = self.get(&format!("{}/login/oidc?next=/runs", host.operator));
        assert_eq!(status, 303, "{told}");
        let (status, back, _) = self.get(&provider);
        assert_eq!(status, 302, "{provider}");
        assert!(back.starts_with(&format!("{HERE}/login/callback?")), "{back}");
        back.replacen(HERE, &host.operator, 1)
    }

    fn log_in(&mut self, host: &Host<'_>) -> (u16, String) {
        let back = self.led_back(host);
        let (status, _, told) = self.get(&back);
        (status, told)
    }

    fn who(&mut self, host: &Host<'_>) -> (u16, serde_json::Value) {
        let (status, _, told) = self.get(&host.api("whoami"));
        (status, serde_json::from_str(&told).unwrap_or_default())
    }
}

/// Where the provider is told that this host is.
const HERE: &str = "http://ops.example.com";

fn project(provider: &Provider) -> Project {
    project_at(HERE, &provider.issuer)
}

fn project_at(here: &str, issuer: &str) -> Project {
    let project = Project::with(&[]).env("ID_SECRET", SECRET);
    let oidc = json!({
        "issuer": issuer,
        "client_id": CLIENT,
        "client_secret": { "env": "ID_SECRET" },
        "url": here,
        "roles": { "admin": ["root"], "operator": ["ops"] },
    });
    project.write("hooks.yaml", json!({ "operator": { "oidc": oidc } }).to_string());
    project
}

#[test]
fn somebody_whom_the_provider_knows_has_the_role_of_their_group() {
    let provider = Provider::start();
    let project = project(&provider);
    let host = project.serve();
    assert_eq!(host.ask("runs").status, 401, "who has a provider logs in, at the machine, too");
    let mut browser = Browser::new();
    let (_, _, form) = browser.get(&format!("{}/login", host.operator));
    assert!(form.contains("/login/oidc"), "{form}");
    provider.knows(json!({ "email": "ann@example.com", "email_verified": true, "groups": ["dev", "ops"] }));
    let (status, told) = browser.log_in(&host);
    assert!(status == 200 && told.contains("href=\"/runs\""), "{status} {told}");
    let who = json!({ "who": "oidc:ann@example.com", "via": "session", "role": "operator" });
    assert_eq!(browser.who(&host), (200, who));
    let (status, _, told) = browser.get(&host.api("audit"));
    assert!(status == 403 && told.contains("oidc:ann@example.com has operator"), "{told}");

    provider.knows(json!({ "preferred_username": "root", "groups": "root" }));
    let mut admin = Browser::new();
    assert_eq!(admin.log_in(&host).0, 200);
    assert_eq!(admin.who(&host).1["who"], "oidc:root u-1", "it may choose what it is called");
    let (status, _, told) = admin.get(&host.api("audit"));
    assert!(status == 200 && told.contains("ann@example.com") && told.contains("log in"), "{told}");
    assert_eq!(provider.asked("/.well-known/openid-configuration"), 1, "what it says of itself is kept a while");
    drop(host);
    assert!(!project.output().contains(SECRET));
}

#[test]
fn whoever_has_no_role_or_no_good_token_stays_outside() {
    let provider = Provider::start();
    let project = project(&provider);
    let host = project.serve();
    let refused = |status: u16, part: &str| {
        let mut browser = Browser::new();
        let (got, told) = browser.log_in(&host);
        assert!(got == status && told.contains(part), "{part}: {got} {told}");
        assert_eq!(browser.who(&host).0, 401, "{part}");
    };
    provider.knows(json!({ "email": "bob@example.com", "groups": ["dev"] }));
    refused(403, "bob@example.com u-1 has no role here");
    let good = json!({ "groups": ["root"] });
    for (claim, value) in
        [("nonce", json!("other")), ("aud", json!("another")), ("exp", json!(1)), ("iss", json!("http://other"))]
    {
        let mut claims = good.clone();
        claims[claim] = value;
        provider.knows(claims);
        refused(401, "does not hold");
    }
    provider.knows(good);
    provider.signs_with(9);
    refused(401, "does not hold");
    // Its keys are asked for again, so that a new one counts at once.
    provider.publishes(9);
    assert_eq!(Browser::new().log_in(&host).0, 200);
}

#[test]
fn a_login_ends_in_the_browser_that_began_it_and_once() {
    let provider = Provider::start();
    let project = project(&provider);
    let host = project.serve();
    provider.knows(json!({ "groups": ["ops"] }));
    let mut one = Browser::new();
    let back = one.led_back(&host);
    let mut other = Browser::new();
    let (status, _, told) = other.get(&back);
    assert!(status == 401 && told.contains("not begun in this browser"), "{told}");
    assert_eq!(one.get(&back).0, 200);
    assert_eq!(one.get(&back).0, 401, "a second time");
    let (status, _, told) = Browser::new().get(&format!("{}/login/callback?error=access_denied", host.operator));
    assert!(status == 401 && told.contains("not begun"), "{told}");
    let (status, _, _) = Browser::new().get(&format!("{}/login/callback", host.operator));
    assert_eq!(status, 401);
}

#[test]
fn who_logged_in_by_a_provider_is_nobody_without_it() {
    let provider = Provider::start();
    let project = project(&provider);
    provider.knows(json!({ "groups": ["ops"] }));
    let mut browser = Browser::new();
    {
        let host = project.serve();
        assert_eq!(browser.log_in(&host).0, 200);
    }
    {
        let host = project.serve();
        assert_eq!(browser.who(&host).0, 200, "sessions outlive a restart");
    }
    project.write("hooks.yaml", "operator: { login: everybody }");
    let project = project.env("HOOKBOX_TOKEN", "a-token-that-somebody-has");
    let host = project.serve();
    assert_eq!(browser.who(&host).0, 401);
}

#[test]
fn who_got_a_role_by_other_rules_logs_in_again_and_can_be_logged_out() {
    let provider = Provider::start();
    let project = project(&provider);
    provider.knows(json!({ "email": "ann@example.com", "email_verified": true, "groups": ["ops", "root"] }));
    let (mut browser, mut other) = (Browser::new(), Browser::new());
    {
        let host = project.serve();
        assert_eq!(browser.log_in(&host).0, 200);
        assert_eq!(other.log_in(&host).0, 200);
        let (status, _, told) = browser.get(&host.api("sessions"));
        let sessions: serde_json::Value = serde_json::from_str(&told).unwrap();
        assert_eq!(status, 200, "{told}");
        let all = sessions["items"].as_array().unwrap();
        assert!(all.iter().all(|one| one["who"] == "oidc:ann@example.com" && one["by"] == "provider"), "{told}");
        assert_eq!(all.iter().filter(|one| one["own"] == true).count(), 1, "{told}");
    }
    let text = std::fs::read_to_string(project.path("hooks.yaml")).unwrap();
    project.write("hooks.yaml", text.replace(r#""admin":["root"],"#, ""));
    let host = project.serve();
    assert_eq!(browser.who(&host).0, 401, "nobody is an admin any more");
    assert_eq!(browser.log_in(&host).0, 200);
    assert_eq!(browser.who(&host).1["role"], "operator");
    assert_eq!(other.who(&host).0, 401);
}

#[test]
fn an_address_gives_a_role_where_the_provider_has_verified_it() {
    let provider = Provider::start();
    let project = project(&provider);
    let text = std::fs::read_to_string(project.path("hooks.yaml")).unwrap();
    let by = |claim: &str, value: &str| {
        let roles = format!(r#""claim":"{claim}","roles":{{"operator":["{value}"]}}"#);
        let at = text.find(r#""roles""#).unwrap();
        let end = at + text[at..].find('}').unwrap() + 1;
        project.write("hooks.yaml", format!("{}{roles}{}", &text[..at], &text[end..]));
    };
    by("email", "ann@example.com");
    {
        let host = project.serve();
        for (verified, status) in [(json!(false), 403), (json!(null), 403), (json!(true), 200)] {
            provider.knows(json!({ "email": "ann@example.com", "email_verified": verified }));
            assert_eq!(Browser::new().log_in(&host).0, status, "{verified}");
        }
    }
    by("sub", "u-1");
    provider.knows(json!({}));
    assert_eq!(Browser::new().log_in(&project.serve()).0, 200);
    for chosen in ["nickname", "nickname#en", "phone_number", "address.country"] {
        by(chosen, "ann");
        let refused = project.run(&["check"]);
        assert!(refused.code == Some(2) && refused.out.contains("says of themselves"), "{chosen}: {refused:?}");
    }
}

#[test]
fn a_provider_that_is_not_there_is_told() {
    let provider = Provider::start();
    let project = project(&provider);
    let text = std::fs::read_to_string(project.path("hooks.yaml")).unwrap();
    project.write("hooks.yaml", text.replace(&provider.issuer, "http://127.0.0.1:1"));
    let host = project.serve();
    let (status, _, told) = Browser::new().get(&format!("{}/login/oidc", host.operator));
    assert!(status == 503 && told.contains("cannot be asked"), "{status} {told}");
    project.write("hooks.yaml", "operator: { oidc: { issuer: nowhere } }");
    let refused = project.run(&["check"]);
    assert!(refused.code == Some(2) && refused.out.contains("operator.oidc.issuer"), "{refused:?}");
}

#[test]
fn a_secret_that_is_not_there_is_found_before_the_host_starts() {
    let issuer = "http://127.0.0.1:1";
    let unset = project_at(HERE, issuer).env("ID_SECRET", "");
    let told = "operator.oidc.client_secret: ";
    for (command, code) in [(&["check"][..], 2), (&["doctor", "--url", "http://127.0.0.1:9"], 1)] {
        let said = unset.run(command);
        assert!(said.code == Some(code) && said.out.contains(told), "{said:?}");
        let good = project_at(HERE, issuer).run(command);
        assert!(!good.out.contains(told) && !good.out.contains(SECRET), "{good:?}");
    }
}

#[test]
fn a_browser_is_led_to_the_provider_and_back_into_a_session() {
    let provider = Provider::start_as("localhost");
    provider.knows(json!({ "email": "ann@example.com", "email_verified": true, "groups": ["ops"] }));
    // The provider has to know beforehand where browsers come back to.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let project = project_at(&format!("http://{free}"), &provider.issuer);
    let mut arguments = Host::arguments("serve");
    *arguments.last_mut().unwrap() = &free;
    let host = Host::start_by(&project, project.command(&arguments));
    browse("oidc.mjs", &host, &[&provider.issuer]);
}
