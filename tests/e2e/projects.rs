//! hooks.yaml, `.env`, the data folder and who may use it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::harness::{GITHUB, Host, Project, SHOP, Sender, shop, until};

const ACME: Sender = Sender { provider: "acme", scheme: "generic", secret: "hush-acme-0c4e" };
const MANUAL: &str = include_str!("../../hooks.yaml");
const MISTAKES: &str = "server: { listen: localhost }\n\
                        providers: { github: { scheme: githb } }\n\
                        plugins: { welcome: { handlers: { welcome: { attempts: 0 } } } }\n\
                        schedules: { nightly: { plugin: a, handler: b, cron: \"0 25 * * *\" } }\n\
                        colour: red\n";

fn acme(id: &str) -> crate::harness::Webhook {
    ACME.sign(id, json!({ "event_id": id, "type": "parcel.sent" }).to_string())
}

#[track_caller]
fn assert_acme_is_live(host: &Host<'_>) {
    let run = host.follow(&acme("parcel-1"));
    let result = &run["result"]["data"];
    assert_eq!((&result["provider"], &result["type"]), (&json!("acme"), &json!("parcel.sent")), "{run:#}");
}

#[test]
fn a_secret_in_the_environment_makes_its_provider_live() {
    let project = Project::with(&["steps"]).bare().env("WEBHOOK_SECRET_ACME", ACME.secret);
    let host = project.serve();
    assert_acme_is_live(&host);
    assert_eq!(host.get("health")["providers"], json!(["acme"]));
    assert_eq!(host.post(&shop("count", "1", json!({}))).status, 401);
}

#[test]
fn a_secret_in_dot_env_makes_its_provider_live() {
    let project = Project::with(&["steps"]).bare();
    project.write(".env", format!("# ours\nWEBHOOK_SECRET_ACME={}\n", ACME.secret));
    assert_acme_is_live(&project.serve());
    assert!(!project.output().contains(ACME.secret));
}

#[test]
fn the_environment_comes_before_dot_env() {
    let project = Project::with(&["steps"]).bare().env("WEBHOOK_SECRET_ACME", ACME.secret);
    project.write(".env", "WEBHOOK_SECRET_ACME=another\n");
    assert_acme_is_live(&project.serve());
}

#[test]
fn an_empty_secret_ends_the_start_with_its_name() {
    let project = Project::with(&[]).env("WEBHOOK_SECRET_ACME", "");
    let said = project.serve_in_vain();
    assert_eq!(said.code, Some(2), "{said:?}");
    assert!(said.err.contains("WEBHOOK_SECRET_ACME") && said.err.contains("acme"), "{said:?}");
}

#[test]
fn every_mistake_in_hooks_yaml_is_told_at_once() {
    let project = Project::with(&[]);
    project.write("hooks.yaml", MISTAKES);
    let said = project.serve_in_vain();
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{said:?}");
    for path in [
        "server.listen",
        "providers.github.scheme",
        "plugins.welcome.handlers.welcome.attempts",
        "schedules.nightly.cron",
        "colour",
    ] {
        let line = said.err.lines().find(|line| line.contains(&format!("{path}: ")));
        assert!(line.is_some_and(|line| line.contains("hooks.yaml")), "{path} with its file:\n{}", said.err);
    }
    assert!(!project.path("data").exists(), "nothing was begun");
    let checked = project.run(&["check"]);
    assert_ne!(checked.code, Some(0));
    assert!(checked.out.contains("5 mistakes"), "{checked:?}");
}

#[test]
fn the_shipped_hooks_yaml_is_a_good_one() {
    let project = Project::with(&["welcome", "github-notify", "payments", "daily-digest"]);
    project.write("hooks.yaml", MANUAL);
    assert!(project.run(&["check"]).text().contains("0 mistakes"));
    let host = project.serve();
    host.accept(&shop("user.created", "1", json!({})));
    assert_eq!(host.idle()["counts"]["succeeded"], 2, "greeted and counted");
}

#[test]
fn a_changed_hooks_yaml_is_taken_over_while_the_host_runs() {
    let project = Project::with(&["steps", "github-notify", "ticker"]);
    project.write(".env", format!("PARCELS={}\n", ACME.secret));
    let host = project.serve();
    let digest = host.get("plugins/github-notify")["digest"].clone();
    assert_eq!(host.post(&acme("parcel-1")).status, 401);
    project.write(
        "hooks.yaml",
        "providers: { acme: { secrets: [ { env: PARCELS } ], limits: { body: 2KiB } } }\n\
         plugins: { github-notify: { config: { channel: '#dev' } }, steps: { handlers: { doomed: { attempts: 3 } } } }\n\
         schedules: { often: { plugin: ticker, handler: new-year, every: 1s } }\n",
    );
    until("the change is taken over", || (project.log_lines("were read anew") == 1).then_some(()));
    assert_acme_is_live(&host);
    let padded = json!({ "event_id": "parcel-2", "data": "x".repeat(3000) }).to_string();
    assert_eq!(host.post(&ACME.sign("parcel-2", padded)).status, 413);
    let push = include_str!("../../plugins/github-notify/fixtures/push.json");
    let run = host.follow(&GITHUB.sign("72d3162e", push).header("X-GitHub-Event", "push"));
    assert_eq!((&run["result"]["data"]["channel"], &run["attempts"][0]["version"]), (&json!("#dev"), &digest));
    assert_eq!(host.follow(&shop("doomed", "1", json!({})))["attempts_begun"], 3);
    until("the new schedule fires", || host.get("schedules/often")["counts"]["fired"].as_u64().filter(|n| *n > 0));
    assert_eq!(host.get("schedules/often")["origin"], "config");

    // An empty file may be a save under way; one with a comment is meant.
    project.write("hooks.yaml", "");
    until("the empty file is told", || (project.log_lines("is gone or empty") == 1).then_some(()));
    assert_eq!(host.post(&acme("parcel-1")).status, 200, "a duplicate is told as one: acme is live");
    // Nor does it count where somebody asks for it.
    host.hang_up();
    until("it is told again", || (project.log_lines("is gone or empty") == 2).then_some(()));
    assert_eq!(host.post(&acme("parcel-1")).status, 200);
    project.write("hooks.yaml", "# nothing\n");
    until("the change is taken over", || (project.log_lines("were read anew") == 2).then_some(()));
    assert_eq!(host.post(&acme("parcel-3")).status, 401);
    assert_eq!(host.ask("schedules/often").status, 404);
}

#[test]
fn a_change_with_a_mistake_leaves_everything_as_it_is() {
    let project = Project::with(&["steps"]);
    project.write("hooks.yaml", "plugins: { steps: { handlers: { doomed: { attempts: 1 } } } }\n");
    let host = project.serve();
    project.write("hooks.yaml", MISTAKES);
    until("the mistakes are told", || (project.log_lines("colour: ") > 0).then_some(()));
    assert!(project.log().contains("is not taken over"), "{}", project.log());
    assert_eq!(host.follow(&shop("doomed", "1", json!({})))["attempts_begun"], 1);
}

#[test]
fn a_second_host_on_the_same_data_is_refused() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    let said = project.serve_in_vain();
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("data") && said.err.contains("another"), "{said:?}");
    let doctor = project.run(&["doctor", "--data", "data"]);
    assert_eq!(doctor.code, Some(1), "{doctor:?}");
    assert_eq!(host.follow(&shop("user.created", "1", json!({})))["state"], "succeeded", "the first is unharmed");
}

#[test]
fn the_data_folder_is_closed_to_others() {
    let project = Project::with(&["welcome"]);
    let host = project.serve();
    host.follow(&shop("user.created", "1", json!({})));
    let mode = |path: &str| fs::metadata(project.path(path)).unwrap().permissions().mode() & 0o777;
    for folder in ["data", "data/compiled", "data/versions"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    drop(host);
    assert!(!contains(&project.path("data"), SHOP.secret.as_bytes()), "a secret is on disk");
}

fn contains(folder: &std::path::Path, wanted: &[u8]) -> bool {
    fs::read_dir(folder).unwrap().flatten().any(|entry| match entry.file_type().unwrap().is_dir() {
        true => contains(&entry.path(), wanted),
        false => fs::read(entry.path()).unwrap().windows(wanted.len()).any(|window| window == wanted),
    })
}

#[test]
fn a_port_that_is_taken_is_told_with_its_cure() {
    let project = Project::with(&[]);
    let host = project.serve();
    let taken = host.ingress.strip_prefix("http://").unwrap();
    let said = project.run(&["serve", "--data", "other", "--listen", taken, "--operator", "127.0.0.1:0"]);
    assert_eq!(said.code, Some(1), "{said:?}");
    assert!(said.err.contains("server.listen") && said.err.contains(taken), "{said:?}");
}

#[test]
fn a_log_in_json_is_one_object_a_line() {
    let project = Project::with(&["welcome"]);
    let mut arguments = Host::arguments("serve").to_vec();
    arguments.push("--log-json");
    let host = Host::start_by(&project, project.command(&arguments));
    assert_eq!(host.post(&Sender { secret: "wrong", ..SHOP }.sign("1", "{}")).status, 401);
    host.stop();
    let lines: Vec<Value> = project.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(lines.iter().any(|line| line["fields"]["reason"] == "mismatch"), "{lines:?}");
}
