//! Every page that the router has, before a real browser: with something to show, with nothing, and before the login.
//! A page that nobody looks at here, or that has no picture, fails a test.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use hookbox_http::operator::RULES;
use serde_json::{Value, json};

use crate::harness::receiver::Receiver;
use crate::harness::{Host, Project, environment, now, said, shop, until};
use crate::pages::{broken, browse, script, succeed};
use crate::schedules::TICK;

/// The pictures that the README shows.
const PICTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/screenshots");
const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../README.md");
/// What is read by machines or leads on, below `/api/v1` apart.
const NO_PAGES: [&str; 5] = ["/metrics", "/live", "/assets/{name}", "/login/oidc", "/login/callback"];
/// A path, the one fault of its page, and how it is told.
const FAULTS: [(&str, &str, &str); 10] = [
    (
        "/folded",
        r#"<details><summary>More</summary><img src="data:,"></details>"#,
        "/folded in light: critical image-alt: <img",
    ),
    ("/image", r#"<img src="data:,">"#, "/image in light: critical image-alt: <img"),
    ("/pale", r#"<p style="color: #aaa">pale"#, "/pale in light: serious color-contrast: <p"),
    ("/dim", r#"<p class="dim">dim"#, "/dim in dark: serious color-contrast: <p"),
    (
        "/bright",
        "<style>body { background: #fff !important; color: #000 !important }</style>",
        "/bright is as bright in dark",
    ),
    ("/wide", r#"<div style="width: 900px">wide"#, "/wide is 9"),
    ("/far", r#"<button tabindex="-1">Far</button>"#, "/far has 1 things that the keyboard does not reach: <button"),
    (
        "/ringless",
        r#"<a href="/" style="outline: none">Home</a>"#,
        "/ringless shows no ring around what has the focus: <a",
    ),
    (
        "/silent",
        "<script>document.querySelector('h1').textContent = 'Head'</script>",
        "/silent has no heading without a script",
    ),
    ("/strange", r#"<img alt="strange" src="http://localhost:1/x.png">"#, "/strange asks for http://localhost:1/x.png"),
];

/// A page as somebody may see it.
struct Example {
    path: String,
    status: u16,
    /// Its name and height.
    picture: Option<&'static str>,
}

fn seen(path: impl Into<String>) -> Example {
    Example { path: path.into(), status: 200, picture: None }
}

fn pictured(picture: &'static str, path: impl Into<String>) -> Example {
    Example { picture: Some(picture), ..seen(path) }
}

fn refused(status: u16, path: &str) -> Example {
    Example { status, ..seen(path) }
}

/// What ids are there to look at.
struct Ids {
    good: String,
    dead: String,
    event: String,
    unrouted: String,
    duplicate: String,
    /// It is at work as long as it is looked at.
    leased: String,
}

impl Ids {
    fn nobodys() -> Ids {
        let none = || "none".to_owned();
        Ids { good: none(), dead: none(), event: none(), unrouted: none(), duplicate: none(), leased: none() }
    }
}

fn examples(ids: &Ids) -> Vec<Example> {
    let Ids { good, dead, event, unrouted, duplicate, leased } = ids;
    let new = "/new-schedule?name=workdays&target=ticker/tick";
    vec![
        pictured("overview:960", "/"),
        seen("/?span=24h"),
        pictured("login:400", "/login"),
        seen("/login?next=/runs"),
        pictured("runs", "/runs"),
        pictured("dead-letters", "/runs?state=dead"),
        seen("/runs?error=nothing-says-this"),
        seen("/runs?not_payload=nothing-says-this&count=true"),
        seen(
            "/runs?sort=-duration&state=dead&state=succeeded&columns=run,state,source,topic,size,result,version,cpu,memory",
        ),
        refused(422, "/runs?since=yesterday"),
        seen(format!("/runs/{good}")),
        seen(format!("/runs/{leased}")),
        pictured("run", format!("/runs/{dead}")),
        refused(404, "/runs/run_00000000000000000000000000"),
        pictured("events", "/events"),
        seen("/events?unrouted=true"),
        pictured("event", format!("/events/{event}")),
        seen(format!("/events/{unrouted}")),
        pictured("duplicates", "/suppressed"),
        pictured("duplicate", format!("/suppressed/{duplicate}")),
        refused(404, "/suppressed/evt_00000000000000000000000000"),
        pictured("schedules", "/schedules"),
        pictured("schedule", "/schedules/ticker.tick"),
        seen("/schedules/ticker.new-year"),
        seen("/new-schedule"),
        pictured("new-schedule", format!("{new}&kind=weekly&when=MON+09:30&timezone=Europe/London")),
        seen(format!("{new}&kind=daily&when=09:00&jitter=5s")),
        seen(format!("{new}&kind=daily&when=25:00")),
        seen("/new-schedule?edit=ticker.tick"),
        pictured("plugins", "/plugins"),
        pictured("plugin", "/plugins/welcome"),
        seen("/plugins/bad"),
        refused(404, "/plugins/nobody"),
        pictured("providers", "/providers"),
        pictured("provider", "/providers/shop"),
        pictured("alerts", "/alerts"),
        pictured("system", "/system"),
        pictured("audit", "/audit"),
        seen("/audit?who=nobody"),
        pictured("tokens", "/tokens"),
    ]
}

/// Of the router's paths those that show a page.
fn pages() -> Vec<&'static str> {
    let shown = |path: &&str| !path.starts_with("/api/v1/") && !NO_PAGES.contains(path);
    RULES.iter().filter(|rule| rule.method == "GET").map(|rule| rule.path).filter(shown).collect()
}

/// The path of the router that leads there.
fn page_of(example: &Example) -> &'static str {
    let path = example.path.split('?').next().unwrap();
    let fits = |pattern: &str| {
        let (mut parts, mut wanted) = (path.split('/'), pattern.split('/'));
        parts.by_ref().zip(wanted.by_ref()).all(|(part, wanted)| part == wanted || wanted.starts_with('{'))
            && path.split('/').count() == pattern.split('/').count()
    };
    let found = pages().into_iter().filter(|pattern| fits(pattern)).min_by_key(|pattern| *pattern != path);
    found.unwrap_or_else(|| panic!("no page is at {path}"))
}

/// A host that has been at work: something has succeeded, died, been refused, fired, been changed and raised an alert.
fn lived_in(project: &Project) -> (Host<'_>, Ids) {
    let alerts = "every: 1s, group: 0s, channels: { own: { handler: steps/link } }, \
                  rules: { dead-letters: { more: 1, within: 1h }, disk-low: off }";
    project.write("hooks.yaml", format!("alerts: {{ {alerts} }}\n"));
    let host = project.serve();
    until("the host has looked", || (host.get("alerts")["channels"] != json!([])).then_some(()));
    let good = host.follow(&shop("user.created", "1", json!({ "data": { "name": "Ada" } })));
    let dead = host.follow(&broken("2"));
    let unrouted = host.accept(&shop("nobody", "3", json!({})));
    assert_eq!(host.post(&shop("user.created", "1", json!({ "data": { "name": "Eve" } }))).status, 200);
    let mut forged = shop("user.created", "4", json!({}));
    forged.body.push(b' ');
    assert_eq!(host.post(&forged).status, 401);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for arguments in [
        &["tokens", "create", "grafana", "--role", "metrics"][..],
        &["tokens", "create", "ann", "--role", "operator", "--expires-in", "90d"],
        &["schedules", "run", "ticker.new-year"],
        &["schedules", "pause", "ticker.new-year"],
        &["holds", "add", "steps/doomed", "--note", "until noon"],
    ] {
        host.cli(arguments).text();
    }
    until("a slot has fired", || (host.get(TICK)["counts"]["fired"] != 0).then_some(()));
    until("somebody is told", || (host.get("alerts")["firing"] != json!([])).then_some(()));
    let slow = host.accept(&shop("slow", "5", json!({ "until": now() + 120_000 })));
    let leased = until("it is at work", || {
        let run = host.get("runs?state=leased")["items"][0].clone();
        (run["event"] == slow.as_str()).then(|| text(&run["id"]))
    });
    let duplicate = text(&host.get("suppressed")["items"][0]["id"]);
    let (good, dead, event) = (text(&good["id"]), text(&dead["id"]), text(&good["event"]));
    let ids = Ids { good, dead, event, unrouted, duplicate, leased };
    (host, ids)
}

#[test]
fn every_page_of_the_router_is_looked_at_and_has_a_picture_in_the_readme() {
    let examples = examples(&Ids::nobodys());
    let kept: BTreeSet<String> =
        fs::read_dir(PICTURES).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    let readme = fs::read_to_string(README).unwrap();
    let mut pictured = BTreeSet::new();
    for page in pages() {
        let of_it: Vec<&Example> = examples.iter().filter(|example| page_of(example) == page).collect();
        assert!(!of_it.is_empty(), "nobody looks at {page}: name a path of it in `examples`");
        let pictures: Vec<&str> = of_it.iter().filter_map(|example| example.picture).collect();
        assert!(!pictures.is_empty(), "{page} has no picture: name one in `examples`");
        pictured.extend(pictures.iter().map(|picture| format!("{}.png", picture.split(':').next().unwrap())));
    }
    assert_eq!(kept, pictured, "HOOKBOX_PICTURES=write with the test of pictures keeps what is missing");
    for file in pictured {
        assert!(readme.contains(&format!("](docs/screenshots/{file})")), "the README does not show {file}");
    }
}

#[test]
fn every_page_reads_well_in_light_and_dark_by_keyboard_on_a_phone_and_without_a_script() {
    let project = Project::with(&["welcome", "ticker", "steps"]);
    project.put("bad", b"no component");
    let (host, ids) = lived_in(&project);
    let examples = examples(&ids);
    let paths: Vec<String> = examples.iter().map(|each| format!("{}={}", each.status, each.path)).collect();
    browse("pages.mjs", &host, &paths.iter().map(String::as_str).collect::<Vec<_>>());
}

/// Also what forms are answered: the login, a token that is shown once or refused, an upload that is refused.
#[test]
fn pages_with_nothing_to_show_read_well_to_whoever_had_to_log_in() {
    let project = Project::with(&[]);
    let host = project.serve();
    let token = host.cli(&["tokens", "create", "ann", "--role", "admin"]).text().trim().to_owned();
    host.stop();
    project.write("hooks.yaml", "operator: { login: everybody }\n");
    let host = project.serve();
    let paths = pages().into_iter().filter(|page| !page.contains('{') && *page != "/login");
    succeed(script("pages.mjs", &host.operator).env("TOKEN", &token).args(paths));
}

/// A page that has no fault but what is put into it.
fn planted(fault: &str) -> String {
    let heading = if fault.starts_with("<script>") { "" } else { "Heading" };
    format!(
        "<!doctype html><html lang=en><title>Planted</title><meta name=viewport content='width=device-width'>
        <style>:root {{ color-scheme: light dark }} body {{ background: #fff; color: #000 }}
        .dim {{ color: #333 }} a {{ color: inherit }} :focus-visible {{ outline: 2px solid }}
        @media (prefers-color-scheme: dark) {{ body {{ background: #000; color: #fff }} }}</style>
        <main><h1>{heading}</h1>{fault}</main>"
    )
}

#[test]
fn a_planted_fault_fails_the_look_at_pages_and_is_named() {
    let mut pages: BTreeMap<String, String> =
        FAULTS.iter().map(|(path, fault, _)| ((*path).to_owned(), planted(fault))).collect();
    pages.insert("/good".to_owned(), planted("<p>All is well. <a href='/'>Home</a></p>"));
    let server = Receiver::with_pages(pages);
    let origin = server.url("");
    succeed(script("pages.mjs", &origin).arg("/good"));
    let done = said(script("pages.mjs", &origin).arg("/good").args(FAULTS.map(|(path, ..)| path)));
    assert_eq!(done.code, Some(1), "{done:?}");
    for (_, _, told) in FAULTS {
        assert!(done.err.contains(told), "{told}: {}", done.err);
    }
    assert!(!done.err.contains("/good"), "{}", done.err);
    let missing = said(script("pages.mjs", &origin).arg("404=/good"));
    assert!(missing.code == Some(1) && missing.err.contains("/good is answered with 200, not 404"), "{missing:?}");
}

/// The host looks every 20 seconds; meanwhile most of what comes succeeds.
fn draw_charts(host: &Host<'_>) {
    let mut sent = 0;
    until("every chart shows something", || {
        sent += 1;
        let id = format!("drawn-{sent}");
        let good = || shop("user.created", &id, json!({ "data": { "name": "Ada" } }));
        host.accept(&if sent % 200 == 0 { broken(&id) } else { good() });
        (!host.get_text("/").contains("Nothing yet.")).then_some(())
    });
    host.idle();
}

/// `HOOKBOX_PICTURES=write` keeps them.
#[test]
fn a_picture_of_each_page_is_small_enough_to_be_kept() {
    let project = Project::with(&["welcome", "ticker", "steps"]);
    let (host, ids) = lived_in(&project);
    let kept = environment("HOOKBOX_PICTURES").is_some_and(|value| value == "write");
    let folder = if kept { PathBuf::from(PICTURES) } else { project.path("pictures") };
    if kept {
        draw_charts(&host);
    }
    let examples = examples(&ids);
    let pictures = examples.iter().filter_map(|each| Some(format!("{}={}", each.picture?, each.path)));
    succeed(script("shots.mjs", &host.operator).arg(&folder).args(pictures));
    assert!(Path::new(&folder).join("tokens.png").is_file());
}
