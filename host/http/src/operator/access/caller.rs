//! Who asks, for the handlers of a request and its entry in the audit log.

use std::cell::RefCell;
use std::fmt;

use hookbox_core::access::{Role, SecretHash, TokenName, Via};

/// Somebody who was let in.
#[derive(Debug, Clone)]
pub(in crate::operator) struct Caller {
    pub(in crate::operator) who: String,
    pub(in crate::operator) role: Role,
    pub(in crate::operator) by: By,
}

/// What let them in.
#[derive(Debug, Clone)]
pub(in crate::operator) enum By {
    Loopback,
    Configured,
    Token(TokenName, SecretHash),
    Session(SecretHash),
}

impl Caller {
    pub(in crate::operator) fn via(&self) -> Via {
        match self.by {
            By::Loopback => Via::Loopback,
            By::Configured | By::Token(..) => Via::Token,
            By::Session(_) => Via::Session,
        }
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.by {
            By::Loopback => f.write_str("loopback"),
            _ => write!(f, "{} ({})", self.who, self.role),
        }
    }
}

/// A request that is under way.
pub(super) struct UnderWay {
    pub(super) caller: Option<Caller>,
    note: RefCell<Option<String>>,
}

impl UnderWay {
    pub(super) fn by(caller: Option<Caller>) -> UnderWay {
        UnderWay { caller, note: RefCell::default() }
    }
}

tokio::task_local! {
    pub(super) static REQUEST: UnderWay;
}

/// Who asks; nobody outside a request, and where strangers may.
pub(in crate::operator) fn caller() -> Option<Caller> {
    REQUEST.try_with(|request| request.caller.clone()).ok().flatten()
}

/// The session that whoever asks is here by.
pub(in crate::operator) fn own_session() -> Option<SecretHash> {
    match caller()?.by {
        By::Session(hash) => Some(hash),
        By::Loopback | By::Configured | By::Token(..) => None,
    }
}

/// Whether whoever asks may do what the audit log has under these words, such as "cancel run": what they may not is not
/// offered to them.
pub(in crate::operator) fn may(act: &str) -> bool {
    caller().is_some_and(|caller| super::table::lets(caller.role, act))
}

/// What is done exactly, for the audit log.
pub(in crate::operator) fn note(what: String) {
    let _ = REQUEST.try_with(|request| *request.note.borrow_mut() = Some(what));
}

pub(super) fn noted() -> Option<String> {
    REQUEST.try_with(|request| request.note.borrow_mut().take()).ok().flatten()
}

/// Goes on with a request on a task of its own; what it notes is noted where it is awaited.
pub(in crate::operator) async fn apart<T: Send + 'static>(
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    let request = REQUEST.scope(UnderWay::by(caller()), async move {
        let done = work.await;
        (done, noted())
    });
    let (done, noted) = tokio::spawn(request).await?;
    if let Some(what) = noted {
        note(what);
    }
    Ok(done)
}
