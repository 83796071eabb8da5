//! Secrets: whether they are there, are hard to guess, and are read by their owner alone. Never what they are.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hookbox_core::config::SecretSource;
use hookbox_core::secret::Secret;

use super::Findings;
use crate::project::{FoundSettings, Project};

const PART: &str = "secrets";
/// Of a shorter one, all can be tried.
const BYTES_MIN: usize = 16;
/// Of a secret with fewer, somebody has typed it.
const DISTINCT_MIN: usize = 6;

pub(super) fn look(project: &Project, findings: &mut Findings) {
    // What is missing or does not read is told with the configuration.
    let (found, _) = project.find_providers();
    let mut good = 0;
    for (name, found) in &found {
        for (lasting, place) in found.secrets.iter().zip(&found.places) {
            match weakness(&lasting.secret) {
                None => good += 1,
                Some(why) => {
                    let cure = "make a new one at the sender, of 32 random bytes, and put it beside the old one";
                    findings.warning(PART, format!("provider {name}: the secret of {place} {why}"), cure);
                }
            }
        }
    }
    let FoundSettings { missing, mistakes, .. } = project.find_plugin_settings();
    for told in missing {
        findings.warning(PART, told, "set it, or take it out of hooks.yaml");
    }
    for mistake in mistakes {
        findings.fault(PART, mistake, "mend the secret where it is kept");
    }
    // Where it cannot be read, the configuration says what is wrong with it.
    if let Ok(Some(token)) = project.operator_token() {
        match weakness(&token) {
            None => good += 1,
            Some(why) => {
                let cure = "make a new one, such as by `openssl rand -hex 32`";
                findings.warning(PART, format!("the token of the operator {why}"), cure);
            }
        }
    }
    if good > 0 {
        findings.ok(PART, format!("{good} secrets are there and are long enough"));
    }
    permissions(project, findings);
}

fn weakness(secret: &Secret) -> Option<String> {
    let bytes = secret.expose();
    if bytes.len() < BYTES_MIN {
        return Some(format!("is shorter than {BYTES_MIN} bytes, and can be guessed"));
    }
    let distinct = bytes.iter().collect::<BTreeSet<_>>().len();
    (distinct < DISTINCT_MIN).then(|| format!("is made of {distinct} different bytes, and can be guessed"))
}

/// Files that hold secrets.
fn permissions(project: &Project, findings: &mut Findings) {
    let config = &project.config;
    let named = config.sources().filter_map(|source| match source {
        SecretSource::File(path) => Some(project.environment.path(path)),
        SecretSource::Env(_) => None,
    });
    let keys = config.server.tls.iter().chain(&config.operator.tls).map(|files| project.environment.path(&files.key));
    let own = [project.environment.path(Path::new(".env")), project.dev_secrets()];
    for file in named.chain(keys).chain(own).collect::<BTreeSet<_>>() {
        let Ok(metadata) = std::fs::metadata(&file) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        let shown = file.display();
        if mode & 0o077 != 0 {
            findings.warning(
                PART,
                format!("{shown} can be read by others (mode {mode:03o})"),
                format!("chmod 600 {shown}"),
            );
        } else {
            findings.ok(PART, format!("{shown} is its owner's alone"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_guessed_is_told() {
        for weak in ["hunter2", "aaaaaaaaaaaaaaaaaaaaaaaa", "abababababababababababab"] {
            assert!(weakness(&Secret::new(weak).unwrap()).is_some(), "{weak}");
        }
        assert_eq!(weakness(&Secret::new("8f742231b10e8888abcd99yyyzzz85a5").unwrap()), None);
    }
}
