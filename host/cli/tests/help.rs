//! What the binary says of itself. That this file is here makes cargo build the binary for the end-to-end tests, too.

#![expect(clippy::unwrap_used, reason = "a test ends where something is not as expected")]

use std::process::Command;

fn help(command: &[&str]) -> String {
    let mut hookbox = Command::new(env!("CARGO_BIN_EXE_hookbox"));
    let output = hookbox.args(command).arg("--help").env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_binary_says_what_it_does() {
    insta::assert_snapshot!("hookbox", help(&[]));
}

#[test]
fn each_command_says_what_it_does() {
    let commands = [
        "serve",
        "dev",
        "check",
        "new",
        "build",
        "sign-plugin",
        "invoke",
        "verify",
        "send",
        "capture",
        "doctor",
        "health",
        "completion",
        "man",
        "bench",
        "enqueue",
        "backup",
        "restore",
        "migrate",
        "import",
        "audit",
    ];
    for command in commands {
        insta::assert_snapshot!(format!("hookbox-{command}"), help(&[command]));
    }
    let groups = [
        "events",
        "routes",
        "runs",
        "searches",
        "holds",
        "schedules",
        "providers",
        "plugins",
        "alerts",
        "cron",
        "tokens",
    ];
    for group in groups {
        insta::assert_snapshot!(format!("hookbox-{group}"), help(&[group]));
    }
    insta::assert_snapshot!("hookbox-plugins-rollback", help(&["plugins", "rollback"]));
    insta::assert_snapshot!("hookbox-plugins-push", help(&["plugins", "push"]));
    insta::assert_snapshot!("hookbox-plugins-watch", help(&["plugins", "watch"]));
    insta::assert_snapshot!("hookbox-runs-list", help(&["runs", "list"]));
    insta::assert_snapshot!("hookbox-runs-logs", help(&["runs", "logs"]));
    insta::assert_snapshot!("hookbox-runs-cancel", help(&["runs", "cancel"]));
    insta::assert_snapshot!("hookbox-runs-replay", help(&["runs", "replay"]));
    insta::assert_snapshot!("hookbox-holds-add", help(&["holds", "add"]));
    insta::assert_snapshot!("hookbox-schedules-put", help(&["schedules", "put"]));
    insta::assert_snapshot!("hookbox-schedules-backfill", help(&["schedules", "backfill"]));
    insta::assert_snapshot!("hookbox-cron-next", help(&["cron", "next"]));
    insta::assert_snapshot!("hookbox-cron-explain", help(&["cron", "explain"]));
    insta::assert_snapshot!("hookbox-import-celery", help(&["import", "celery"]));
    insta::assert_snapshot!("hookbox-events-route", help(&["events", "route"]));
    insta::assert_snapshot!("hookbox-tokens-create", help(&["tokens", "create"]));
    insta::assert_snapshot!("hookbox-routes-test", help(&["routes", "test"]));
}

#[test]
fn a_command_that_is_not_known_is_a_mistake() {
    let output = Command::new(env!("CARGO_BIN_EXE_hookbox")).arg("serv").env_clear().output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("'serve'"));
}
