//! Who may speak to the operator's listener, and what each may do there.
//!
//! A request is let in by a token, by the cookie of a session, or because it comes from this machine to a listener on
//! loopback where nobody asked for more. What it may do then is in one [`table`].

mod audit;
mod caller;
mod cookie;
mod guard;
mod login;
mod oidc;
mod origin;
mod table;
mod throttle;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue, request};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hookbox_core::access::{AccessRows, Holder, Role, SecretHash, Session};
use hookbox_core::clock::Monotonic;
use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use ipnet::IpNet;

use super::Operator;
use crate::problem::Problem;
use crate::source;
use caller::By;
use cookie::Over;
use origin::Names;
use throttle::{Count, Throttle};

pub(super) use audit::Deed;
pub(super) use caller::{Caller, apart, caller, may, note, own_session};
pub(super) use guard::{Once, check, once};
pub(super) use login::{form, log_in, log_out, show as show_login};
pub use oidc::{CALLBACK, Fetch, FetchError, Oidc, OidcParts};
pub(super) use oidc::{begin as begin_oidc, come_back as come_back_oidc};
pub use table::{Act, Least, RULES, Rule, Takes};

/// Tokens begin so, that scanners of source code know one that was committed by mistake.
const TOKEN_PREFIX: &str = "hbx_";
/// Refusals of each kind that are written down in ten minutes.
const REFUSALS: u32 = 10;

/// Where 256 random bits come from.
pub type Random = Box<dyn Fn() -> io::Result<[u8; 32]> + Send + Sync>;

/// The rules of one listener.
pub struct Access {
    names: Names,
    listens_on: SocketAddr,
    over: Over,
    login: Login,
    oidc: Option<Arc<Oidc>>,
    trusted_proxies: Vec<IpNet>,
    configured: Option<SecretHash>,
    throttle: Throttle,
    refusals: Mutex<Refusals>,
    random: Random,
}

/// Those that were written down.
#[derive(Default)]
struct Refusals {
    of_callers: Count,
    of_strangers: Count,
}

/// A role that the provider has taken away counts no longer than this.
const SESSION_OF_PERSON_MAX: Millis = Millis(8 * Millis::HOUR.0);

/// Who has to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Login {
    /// Whoever does not sit at this machine.
    #[default]
    Elsewhere,
    /// Everybody.
    Everybody,
}

/// A listener that others can reach, and nobody could log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{listens_on} can be reached from other machines, and nobody could log in: set HOOKBOX_TOKEN (operator.token in \
     hooks.yaml), or listen on 127.0.0.1, make a token with `hookbox tokens create NAME --role admin`, and come back"
)]
pub struct TokenNeeded {
    listens_on: SocketAddr,
}

impl Access {
    /// `listens_on` has the port that was bound. `hosts` are further names that people reach it by, such as that of
    /// a proxy; one without a port counts with that of the listener too. `token` may do everything.
    pub fn new(listens_on: SocketAddr, hosts: &[String], token: Option<&Secret>, random: Random) -> Access {
        Access {
            names: Names::of(listens_on, hosts),
            listens_on,
            over: Over::Plain,
            login: Login::default(),
            oidc: None,
            trusted_proxies: Vec::new(),
            configured: token.map(|token| SecretHash::of(token.expose())),
            throttle: Throttle::default(),
            refusals: Mutex::default(),
            random,
        }
    }

    /// The listener speaks TLS.
    #[must_use]
    pub fn over_tls(self) -> Access {
        Access { over: Over::Tls, ..self }
    }

    #[must_use]
    pub fn with_login(self, login: Login) -> Access {
        Access { login, ..self }
    }

    /// People log in by this provider, too, and everybody does.
    #[must_use]
    pub fn with_oidc(self, oidc: Oidc) -> Access {
        Access { oidc: Some(Arc::new(oidc)), login: Login::Everybody, ..self }
    }

    /// They are believed about whom a request comes from, and nobody else is.
    #[must_use]
    pub fn behind(self, trusted_proxies: Vec<IpNet>) -> Access {
        Access { trusted_proxies, ..self }
    }

    /// Whose request it is.
    pub(super) fn address(&self, head: &request::Parts) -> IpAddr {
        source::of(&head.headers, &head.extensions, &self.trusted_proxies)
    }

    fn oidc(&self) -> Option<&Arc<Oidc>> {
        self.oidc.as_ref()
    }

    /// Fails where nobody could ever be let in.
    pub fn must_let_somebody_in(&self, rows: &AccessRows, now: Timestamp) -> Result<(), TokenNeeded> {
        match self.is_open() || self.configured.is_some() || self.oidc.is_some() || rows.has_admin(now) {
            true => Ok(()),
            false => Err(TokenNeeded { listens_on: self.listens_on }),
        }
    }

    /// Whether somebody at this machine needs nothing.
    fn is_open(&self) -> bool {
        self.listens_on.ip().is_loopback() && self.configured.is_none() && self.login == Login::Elsewhere
    }

    /// Who asks; nobody where nothing is shown. Fails where something wrong is shown.
    fn who(&self, headers: &HeaderMap, from: IpAddr, rows: &AccessRows, at: At) -> Result<Option<Caller>, Problem> {
        if headers.contains_key(AUTHORIZATION) {
            let shown = origin::only(headers, &AUTHORIZATION).and_then(bearer).ok_or_else(unknown_token)?;
            return self.by_token(&shown, from, rows, at).map(Some);
        }
        let by_session = |hash: &SecretHash| {
            let (session, role) = self.session(hash, rows, at.now)?;
            Some(Caller { who: session.holder.name().to_owned(), role, by: By::Session(*hash) })
        };
        let by_session = cookie::shown(headers, self.over).iter().find_map(by_session);
        let open = || Caller { who: "loopback".to_owned(), role: Role::Admin, by: By::Loopback };
        Ok(by_session.or_else(|| (self.is_open() && self.names.is_own(headers)).then(open)))
    }

    /// One that hookbox made is never made to wait: nobody can guess it. The one of the configuration may be weaker.
    fn by_token(&self, shown: &[u8], from: IpAddr, rows: &AccessRows, at: At) -> Result<Caller, Problem> {
        let hash = SecretHash::of(shown);
        if let Some(token) = rows.token(&hash, at.now) {
            return Ok(Caller {
                who: token.name.to_string(),
                role: token.role,
                by: By::Token(token.name.clone(), hash),
            });
        }
        if let Some(wait) = self.throttle.wait(from, at.monotonic) {
            return Err(Problem::too_many_for(wait)
                .because("too many wrong tokens came from there: wait, and look for who sends them"));
        }
        if self.configured.is_some_and(|configured| configured == hash) {
            return Ok(Caller { who: "configured".to_owned(), role: Role::Admin, by: By::Configured });
        }
        self.throttle.failed(from, at.monotonic);
        Err(unknown_token())
    }

    /// Whether whoever was let in still is.
    fn still_is(&self, caller: &Caller, rows: &AccessRows, now: Timestamp) -> bool {
        match &caller.by {
            By::Loopback | By::Configured => true,
            // Another one may have its name by now.
            By::Token(_, hash) => rows.token(hash, now).is_some(),
            By::Session(hash) => self.session(hash, rows, now).is_some(),
        }
    }

    /// Where hooks.yaml has another provider or gives other roles by now, nobody is who they were. Whether somebody is still in
    /// their group is known to the provider alone: it is asked again each day.
    fn session<'a>(&self, hash: &SecretHash, rows: &'a AccessRows, now: Timestamp) -> Option<(&'a Session, Role)> {
        let found = rows.session(hash, self.configured.as_ref(), now);
        found.filter(|(session, _)| match session.holder {
            Holder::Person { rules, .. } => {
                self.oidc.as_ref().is_some_and(|oidc| oidc.rules == rules)
                    && now.since(session.created) < SESSION_OF_PERSON_MAX
            }
            _ => true,
        })
    }

    /// Those that let somebody in at this moment, the one that was used last first.
    pub(super) fn sessions<'a>(&self, rows: &'a AccessRows, now: Timestamp) -> Vec<(&'a Session, Role)> {
        let mut all: Vec<_> = rows.sessions.keys().filter_map(|hash| self.session(hash, rows, now)).collect();
        all.sort_by_key(|(session, _)| (std::cmp::Reverse(session.used), session.id()));
        all
    }

    /// When it is over, unless it is used before.
    pub(super) fn ends(&self, session: &Session) -> Timestamp {
        match session.holder {
            Holder::Person { .. } => session.ends().min(session.created.plus(SESSION_OF_PERSON_MAX)),
            _ => session.ends(),
        }
    }

    /// By what a session is held that is begun with what lets the caller in.
    fn holder(&self, caller: &Caller) -> Option<Holder> {
        match (&caller.by, self.configured) {
            (By::Token(name, _), _) => Some(Holder::Token(name.clone())),
            (By::Configured, Some(hash)) => Some(Holder::Configured(hash)),
            _ => None,
        }
    }

    fn writes_down_refusal(&self, of_caller: bool, now: Monotonic) -> bool {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        let count = if of_caller { &mut refusals.of_callers } else { &mut refusals.of_strangers };
        let is_free = count.wait(REFUSALS, now).is_none();
        if is_free {
            count.add(now);
        }
        is_free
    }

    /// 256 random bits, as text.
    fn secret(&self) -> Result<String, Problem> {
        let random = (self.random)();
        let random = random.map_err(|error| Problem::for_now().because(format!("no random numbers: {error}")))?;
        Ok(URL_SAFE_NO_PAD.encode(random))
    }

    /// A token that nobody has, and what is kept of it.
    pub(super) fn new_token(&self) -> Result<(String, SecretHash), Problem> {
        let token = format!("{TOKEN_PREFIX}{}", self.secret()?);
        let hash = SecretHash::of(token.as_bytes());
        Ok((token, hash))
    }
}

/// A moment, on both clocks.
#[derive(Debug, Clone, Copy)]
struct At {
    now: Timestamp,
    monotonic: Monotonic,
}

/// Whether whoever asks would be let in at this moment, after a while of waiting.
pub(super) fn is_still_in(operator: &Operator) -> bool {
    let still = |caller| operator.access.still_is(&caller, &operator.store.access(), operator.clock.now());
    caller().is_some_and(still)
}

/// Whoever may put code on this machine must have shown who they are.
pub(super) fn may_upload() -> Result<(), Problem> {
    match caller().is_some_and(|caller| !matches!(caller.by, By::Loopback)) {
        true => Ok(()),
        false => Err(Problem::token_unset().because(
            "anybody on this machine could upload a plugin: make a token with `hookbox tokens create NAME --role admin`, or \
             set HOOKBOX_TOKEN for the host (operator.token in hooks.yaml) and start it again, and send that token. Or put \
             the file in plugins/",
        )),
    }
}

fn unknown_token() -> Problem {
    Problem::token_wanted()
        .because("the token is not known here, has expired or was revoked")
        .with_header("www-authenticate", "Bearer")
}

fn bearer(value: &HeaderValue) -> Option<Vec<u8>> {
    let (scheme, token) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty()).then(|| token.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_that_others_reach_needs_somebody_who_can_log_in() {
        let access = |address: &str, token: Option<&Secret>| {
            Access::new(address.parse().unwrap(), &[], token, Box::new(|| Ok([7; 32])))
        };
        let nobody = AccessRows::default();
        let hush = Secret::new("hush").unwrap();
        for (address, free) in [("127.0.0.1:5555", true), ("[::1]:5555", true), ("0.0.0.0:5555", false)] {
            let told = access(address, None).must_let_somebody_in(&nobody, Timestamp(0));
            assert_eq!(told.is_ok(), free, "{address}");
            assert!(access(address, Some(&hush)).must_let_somebody_in(&nobody, Timestamp(0)).is_ok());
        }
        let everybody = access("127.0.0.1:5555", None).with_login(Login::Everybody);
        assert!(everybody.must_let_somebody_in(&nobody, Timestamp(0)).is_err());
        let error = access("10.0.0.5:5555", None).must_let_somebody_in(&nobody, Timestamp(0)).unwrap_err();
        insta::assert_snapshot!(error, @"10.0.0.5:5555 can be reached from other machines, and nobody could log in: set HOOKBOX_TOKEN (operator.token in hooks.yaml), or listen on 127.0.0.1, make a token with `hookbox tokens create NAME --role admin`, and come back");
    }
}
