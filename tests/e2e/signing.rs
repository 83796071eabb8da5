//! Keys of plugins' authors, and the command that signs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::harness::{Project, Said};

/// Secret keys by the minisign tool itself, version 0.11, with their public keys; they are for these tests alone.
const PLAIN: (&str, &str) =
    (include_str!("minisign/plain.key"), "RWTdwVibMmPwjkePZ2MCeFiNto5PR6NaHalb6FR0O6A8+S8dvbaTQtPJ");
const WITH_PASSWORD: (&str, &str) =
    (include_str!("minisign/password.key"), "RWQCI6CaDGSKdWJY61w4AgaRwOvN6CsqnQgXbX86hLIg1p+6lDt87baT");
const PASSWORD: &str = "by a password";

fn sign_with(project: &Project, key: &str) -> Said {
    project.write("welcome.wasm", "any bytes");
    project.run(&["sign-plugin", "welcome.wasm", "--key", key, "--comment", "release 7"])
}

/// What it signed, judged as the host does.
#[track_caller]
fn assert_signed(project: &Project, public_key: &str) {
    let rule = hookbox_core::trust::Rule {
        keys: vec![hookbox_core::trust::PublicKey::parse(public_key).unwrap()],
        require_signed: true,
        ..Default::default()
    };
    let signature = fs::read(project.path("welcome.wasm.minisig")).unwrap();
    let name = hookbox_core::name::PluginName::parse("welcome").unwrap();
    let grounds = rule.judge(&name, b"any bytes", Some(&signature)).unwrap();
    assert!(grounds.to_string().ends_with("(release 7)"), "{grounds}");
}

#[test]
fn keys_of_the_minisign_tool_sign_plugins() {
    let project = Project::with(&[]);
    project.write("plain.key", PLAIN.0);
    let said = sign_with(&project, "plain.key");
    assert!(said.text().contains("8EF063329B58C1DD") && said.out.contains("release 7"), "{said:?}");
    assert_signed(&project, PLAIN.1);

    let project = project.env("HOOKBOX_SIGN_PASSWORD", PASSWORD);
    project.write("password.key", WITH_PASSWORD.0);
    sign_with(&project, "password.key").text();
    assert_signed(&project, WITH_PASSWORD.1);
}

#[test]
fn a_key_with_a_password_wants_it() {
    let project = Project::with(&[]).env("HOOKBOX_SIGN_PASSWORD", "by a passwort");
    project.write("password.key", WITH_PASSWORD.0);
    let wrong = sign_with(&project, "password.key");
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    assert!(wrong.err.contains("password.key: ") && wrong.err.contains("Wrong password"), "{wrong:?}");
    assert!(!project.path("welcome.wasm.minisig").exists());
}

#[test]
fn a_new_key_with_a_password_is_used_with_it_alone() {
    let project = Project::with(&[]).env("HOOKBOX_SIGN_PASSWORD", PASSWORD);
    let made = project.run(&["sign-plugin", "--generate", "--key", "release.key"]);
    let secret = fs::read_to_string(project.path("release.key")).unwrap();
    assert!(secret.starts_with("untrusted comment: minisign encrypted secret key\n"), "{secret:?}");
    let line = made.text().lines().last().unwrap();
    let public = line.strip_prefix("  keys: [").and_then(|line| line.strip_suffix(']')).unwrap();
    sign_with(&project, "release.key").text();
    assert_signed(&project, public);
    let project = project.env("HOOKBOX_SIGN_PASSWORD", "another");
    assert_eq!(sign_with(&project, "release.key").code, Some(2));
    assert_eq!(project.run(&["sign-plugin", "--generate", "--key", "next.key"]).code, Some(0));
    let project = project.env("HOOKBOX_SIGN_PASSWORD", "");
    let said = project.run(&["sign-plugin", "--generate", "--key", "empty.key"]);
    assert!(said.code == Some(2) && said.err.contains("--no-password"), "{said:?}");
    assert!(!project.path("empty.key").exists());
}

#[test]
fn a_new_key_is_its_owners_and_takes_no_ones_place() {
    let project = Project::with(&[]);
    let generate = |file: &str| project.run(&["sign-plugin", "--generate", "--no-password", "--key", file]);
    generate("release.key").text();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&project.path("release.key")), 0o600);
    let before = fs::read(project.path("release.key")).unwrap();
    for file in ["release.key", "release.secret", "release.pub"] {
        let again = generate(file);
        assert_eq!(again.code, Some(2), "{file}: {again:?}");
        assert!(again.err.contains("choose another name") || again.err.contains("otherwise"), "{again:?}");
    }
    assert_eq!(fs::read(project.path("release.key")).unwrap(), before);
    assert!(!project.path("release.secret").exists());
}

#[test]
fn what_is_no_secret_key_is_told_and_not_quoted() {
    let project = Project::with(&[]);
    project.write("short.key", "untrusted comment: x\nRWQhush\n");
    project.write("public.key", format!("untrusted comment: x\n{}\n", PLAIN.1));
    // Two keys cut and put together: what it would sign fits neither.
    let damaged = PLAIN.0.replace("mzJj8I6MDkVo", "mzJj8I6MDkVp");
    assert_ne!(damaged, PLAIN.0);
    project.write("damaged.key", damaged);
    for (key, words) in [
        ("short.key", "is no secret key of minisign's"),
        ("public.key", "is no secret key of minisign's"),
        ("damaged.key", "is damaged"),
        ("missing.key", "cannot read the secret key missing.key"),
    ] {
        let said = sign_with(&project, key);
        assert_ne!(said.code, Some(0), "{key}");
        assert!(said.err.contains(words) && !said.err.contains("hush"), "{key}: {said:?}");
        assert!(!project.path("welcome.wasm.minisig").exists(), "{key}");
    }
    let said = project.run(&["sign-plugin", "welcome.wasm", "--key", "damaged.key", "--comment", "two\nlines"]);
    assert!(said.code == Some(2) && said.err.contains("one line"), "{said:?}");
}
