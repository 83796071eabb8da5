//! Taking a secret from its sender: some, as Notion, bring it in their first POST, which nothing vouches for.
//!
//! So it is taken only while an operator waits for it, in a window that one opens and that closes by itself; the first
//! one that comes is held in memory, and counts only once the operator has looked at it and said so. Whatever comes
//! after it changes nothing.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hookbox_core::clock::Monotonic;
use hookbox_core::name::ProviderName;
use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use serde_json::{Map, Value};

/// How long an operator waits: time enough to fill in a form at the sender's.
pub const WINDOW: Millis = Millis(600_000);
/// A body with nothing but a token in it.
const BODY_BYTES_MAX: usize = 4096;
const TOKEN_BYTES_MAX: usize = 512;
/// Characters of a token that are shown, and a third of them at most.
const SHOWN_CHARS_MAX: usize = 12;

/// A provider whose sender brings the secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pairable {
    /// The one member of its first POST.
    pub member: String,
    /// The file that hooks.yaml names for the secret, if it names one.
    pub file: Option<PathBuf>,
}

/// Puts a secret in a file that only its owner reads.
pub type Keep = Box<dyn Fn(&Path, &Secret) -> io::Result<()> + Send + Sync>;

/// The one window, or none.
pub struct Pairing {
    window: Mutex<Option<Window>>,
    keep: Keep,
}

#[derive(Debug)]
struct Window {
    provider: ProviderName,
    pairable: Pairable,
    opened: Timestamp,
    closes: Monotonic,
    caught: Option<Caught>,
}

#[derive(Debug)]
struct Caught {
    token: Secret,
    from: Option<IpAddr>,
}

/// What an operator sees of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub provider: ProviderName,
    pub opened: Timestamp,
    /// What came, if something came.
    pub caught: Option<SeenToken>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenToken {
    pub from: Option<IpAddr>,
    /// How it begins.
    pub begins: String,
    pub bytes: usize,
}

/// Why the window does not do what was asked for.
#[derive(Debug, thiserror::Error)]
pub enum NotPaired {
    #[error("a window for {0} is open: confirm or close that one first")]
    Open(ProviderName),
    #[error("no window for {0} is open; a window closes after {WINDOW}")]
    Closed(ProviderName),
    #[error("nothing has come for {0} yet")]
    Nothing(ProviderName),
    #[error("name a file for the secret of {0} in hooks.yaml, such as secrets: [ {{ file: {0}.key }} ]")]
    NoFile(ProviderName),
    #[error("the secret of {provider} was not written to {file}: {error}")]
    Unwritten { provider: ProviderName, file: String, error: io::Error },
}

impl Pairing {
    pub fn new(keep: Keep) -> Pairing {
        Pairing { window: Mutex::new(None), keep }
    }

    /// Opens the window.
    pub fn open(
        &self,
        provider: &ProviderName,
        pairable: &Pairable,
        (now, at): (Monotonic, Timestamp),
    ) -> Result<Seen, NotPaired> {
        if pairable.file.is_none() {
            return Err(NotPaired::NoFile(provider.clone()));
        }
        let mut window = self.current(now);
        if let Some(open) = &*window {
            return Err(NotPaired::Open(open.provider.clone()));
        }
        let closes = Monotonic(now.0.saturating_add(WINDOW.0));
        let (provider, pairable) = (provider.clone(), pairable.clone());
        Ok(window.insert(Window { provider, pairable, opened: at, closes, caught: None }).seen())
    }

    /// Takes the token from a POST that is not signed, where the window is open for this provider. True for the first
    /// one, and for the same one again: a sender repeats what it saw no answer to.
    pub(crate) fn offer(&self, provider: &ProviderName, body: &[u8], from: Option<IpAddr>, now: Monotonic) -> bool {
        let mut current = self.current(now);
        let Some(window) = current.as_mut().filter(|window| window.provider == *provider) else {
            return false;
        };
        let Some(token) = token(body, &window.pairable.member) else {
            return false;
        };
        match &window.caught {
            Some(caught) => caught.token == token,
            None => {
                window.caught = Some(Caught { token, from });
                true
            }
        }
    }

    /// For whom it is open, and whether something has come.
    pub(crate) fn stands(&self, now: Monotonic) -> Option<(ProviderName, bool)> {
        self.current(now).as_ref().map(|window| (window.provider.clone(), window.caught.is_some()))
    }

    pub fn look(&self, provider: &ProviderName, now: Monotonic) -> Result<Seen, NotPaired> {
        let current = self.current(now);
        let window = current.as_ref().filter(|window| window.provider == *provider);
        window.map(Window::seen).ok_or_else(|| NotPaired::Closed(provider.clone()))
    }

    /// Puts the token that came where the provider's secret is, and closes the window. It stays open where that fails.
    pub fn confirm(&self, provider: &ProviderName, now: Monotonic) -> Result<PathBuf, NotPaired> {
        let mut current = self.current(now);
        let window = current.as_ref().filter(|window| window.provider == *provider);
        let window = window.ok_or_else(|| NotPaired::Closed(provider.clone()))?;
        let caught = window.caught.as_ref().ok_or_else(|| NotPaired::Nothing(provider.clone()))?;
        let file = window.pairable.file.clone().ok_or_else(|| NotPaired::NoFile(provider.clone()))?;
        (self.keep)(&file, &caught.token).map_err(|error| NotPaired::Unwritten {
            provider: provider.clone(),
            file: file.display().to_string(),
            error,
        })?;
        *current = None;
        Ok(file)
    }

    /// Forgets what came.
    pub fn close(&self, provider: &ProviderName, now: Monotonic) -> Result<(), NotPaired> {
        let mut current = self.current(now);
        match current.take_if(|window| window.provider == *provider) {
            Some(_) => Ok(()),
            None => Err(NotPaired::Closed(provider.clone())),
        }
    }

    /// The window, unless its time is over.
    fn current(&self, now: Monotonic) -> MutexGuard<'_, Option<Window>> {
        let mut window = self.window.lock().unwrap_or_else(PoisonError::into_inner);
        window.take_if(|window| window.closes <= now);
        window
    }
}

impl fmt::Debug for Pairing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pairing").field("window", &self.window).finish_non_exhaustive()
    }
}

impl Window {
    fn seen(&self) -> Seen {
        let caught = self.caught.as_ref().map(|caught| {
            let text = String::from_utf8_lossy(caught.token.expose());
            let shown = SHOWN_CHARS_MAX.min(text.len() / 3);
            SeenToken { from: caught.from, begins: text.chars().take(shown).collect(), bytes: text.len() }
        });
        Seen { provider: self.provider.clone(), opened: self.opened, caught }
    }
}

/// The token of a JSON body that has this member and no other.
fn token(body: &[u8], member: &str) -> Option<Secret> {
    if body.len() > BODY_BYTES_MAX {
        return None;
    }
    let members: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let text = members.get(member).filter(|_| members.len() == 1)?.as_str()?;
    let good = (1..=TOKEN_BYTES_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    good.then(|| Secret::new(text).ok())?
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const TOKEN: &str = "secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl";
    const AT: Timestamp = Timestamp(1_764_000_000_000);
    const NOW: Monotonic = Monotonic(5000);
    const LATE: Monotonic = Monotonic(NOW.0 + WINDOW.0);

    type Kept = Arc<Mutex<Vec<(PathBuf, String)>>>;

    fn pairing() -> (Pairing, Kept) {
        let kept = Kept::default();
        let to = Arc::clone(&kept);
        let keep: Keep = Box::new(move |file, token| {
            let token = String::from_utf8(token.expose().to_vec()).unwrap();
            to.lock().unwrap().push((file.to_owned(), token));
            Ok(())
        });
        (Pairing::new(keep), kept)
    }

    fn notion() -> (ProviderName, Pairable) {
        let pairable = Pairable { member: "verification_token".to_owned(), file: Some("notion.key".into()) };
        (ProviderName::parse("notion").unwrap(), pairable)
    }

    fn body(token: &str) -> Vec<u8> {
        format!(r#"{{"verification_token":"{token}"}}"#).into_bytes()
    }

    #[test]
    fn a_token_counts_once_the_operator_has_said_so() {
        let (pairing, kept) = pairing();
        let (name, pairable) = notion();
        assert_eq!(pairing.open(&name, &pairable, (NOW, AT)).unwrap().caught, None);
        assert!(matches!(pairing.confirm(&name, NOW), Err(NotPaired::Nothing(_))));
        let from = Some(IpAddr::from([203, 0, 113, 9]));
        assert!(pairing.offer(&name, &body(TOKEN), from, NOW));
        let caught = pairing.look(&name, NOW).unwrap().caught.unwrap();
        assert_eq!((caught.from, caught.begins.as_str(), caught.bytes), (from, "secret_tMrlL", TOKEN.len()));
        assert_eq!(*kept.lock().unwrap(), []);
        assert_eq!(pairing.confirm(&name, NOW).unwrap(), PathBuf::from("notion.key"));
        assert_eq!(*kept.lock().unwrap(), [("notion.key".into(), TOKEN.to_owned())]);
        assert!(matches!(pairing.look(&name, NOW), Err(NotPaired::Closed(_))));
        assert!(!format!("{pairing:?}").contains(TOKEN));
    }

    #[test]
    fn nothing_is_taken_without_a_window() {
        let (pairing, kept) = pairing();
        let (name, pairable) = notion();
        assert!(!pairing.offer(&name, &body(TOKEN), None, NOW));
        pairing.open(&name, &pairable, (NOW, AT)).unwrap();
        let other = ProviderName::parse("other").unwrap();
        assert!(!pairing.offer(&other, &body(TOKEN), None, NOW));
        assert!(!pairing.offer(&name, &body(TOKEN), None, LATE), "its time is over");
        assert!(matches!(pairing.confirm(&name, LATE), Err(NotPaired::Closed(_))));
        assert_eq!(*kept.lock().unwrap(), []);
    }

    #[test]
    fn what_was_caught_is_forgotten_when_the_time_is_over() {
        let (pairing, kept) = pairing();
        let (name, pairable) = notion();
        pairing.open(&name, &pairable, (NOW, AT)).unwrap();
        assert!(pairing.offer(&name, &body(TOKEN), None, NOW));
        assert!(matches!(pairing.confirm(&name, LATE), Err(NotPaired::Closed(_))));
        assert_eq!(pairing.open(&name, &pairable, (LATE, AT)).unwrap().caught, None);
        assert_eq!(*kept.lock().unwrap(), []);
    }

    #[test]
    fn a_second_token_replaces_nothing() {
        let (pairing, kept) = pairing();
        let (name, pairable) = notion();
        pairing.open(&name, &pairable, (NOW, AT)).unwrap();
        assert!(pairing.offer(&name, &body(TOKEN), None, NOW));
        assert!(!pairing.offer(&name, &body("secret_of-somebody-else"), None, NOW));
        assert!(pairing.offer(&name, &body(TOKEN), None, NOW), "a repetition is answered as the first");
        pairing.confirm(&name, NOW).unwrap();
        assert_eq!(kept.lock().unwrap()[0].1, TOKEN);
    }

    #[test]
    fn there_is_one_window_at_a_time() {
        let (pairing, _) = pairing();
        let (name, pairable) = notion();
        let other = ProviderName::parse("other").unwrap();
        pairing.open(&name, &pairable, (NOW, AT)).unwrap();
        assert!(matches!(pairing.open(&other, &pairable, (NOW, AT)), Err(NotPaired::Open(open)) if open == name));
        assert!(matches!(pairing.close(&other, NOW), Err(NotPaired::Closed(_))));
        pairing.close(&name, NOW).unwrap();
        pairing.open(&other, &pairable, (NOW, AT)).unwrap();
    }

    #[test]
    fn a_provider_without_a_file_for_its_secret_is_told_the_cure() {
        let (pairing, _) = pairing();
        let (name, pairable) = notion();
        let told = pairing.open(&name, &Pairable { file: None, ..pairable }, (NOW, AT)).unwrap_err().to_string();
        assert!(told.contains("secrets: [ { file: notion.key } ]"), "{told}");
    }

    #[test]
    fn a_token_that_cannot_be_kept_leaves_the_window_open() {
        let refuse: Keep = Box::new(|_, _| Err(io::ErrorKind::PermissionDenied.into()));
        let pairing = Pairing::new(refuse);
        let (name, pairable) = notion();
        pairing.open(&name, &pairable, (NOW, AT)).unwrap();
        assert!(pairing.offer(&name, &body(TOKEN), None, NOW));
        assert!(matches!(pairing.confirm(&name, NOW), Err(NotPaired::Unwritten { .. })));
        assert!(pairing.look(&name, NOW).unwrap().caught.is_some());
    }

    #[test]
    fn a_body_with_anything_else_in_it_is_no_token() {
        for wrong in [
            r#"{"verification_token":"a b"}"#,
            r#"{"verification_token":""}"#,
            r#"{"verification_token":7}"#,
            r#"{"verification_token":"abc","type":"page.created"}"#,
            r#"{"token":"abc"}"#,
            r#"["verification_token"]"#,
            "verification_token=abc",
            "",
        ] {
            assert!(token(wrong.as_bytes(), "verification_token").is_none(), "{wrong}");
        }
        let long = |len: usize| body(&"x".repeat(len));
        assert!(token(&long(TOKEN_BYTES_MAX), "verification_token").is_some());
        assert!(token(&long(TOKEN_BYTES_MAX + 1), "verification_token").is_none());
        let padded = [body("abc"), vec![b' '; BODY_BYTES_MAX]].concat();
        assert!(token(&padded, "verification_token").is_none());
    }
}
