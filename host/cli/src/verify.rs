//! `hookbox verify`: the oldest question in webhooks, "why does my signature fail?", answered by the code of the server.

mod ask;
mod hint;

use anyhow::Result;
use hookbox_core::secret::Secret;
use hookbox_core::time::{Millis, Timestamp};
use hookbox_core::verify::{Delivery, Integrity, Refusal, Reply, Scheme, Verified, Verifier, schemes};
use serde::Serialize;

use crate::args::VerifyArgs;
use crate::inspect::Print;
use ask::Ask;
use hint::{Case, Guess};

/// What is said of a delivery.
#[derive(Debug, PartialEq, Eq)]
struct Verdict {
    /// What the server would count and log; none where it is valid.
    cause: Option<&'static str>,
    /// The reply to a challenge.
    answer: Option<String>,
    /// In words, a line each: what happened, then what may help.
    words: Vec<String>,
}

/// The verdict in JSON: these members, in this order.
#[derive(Serialize)]
struct Told {
    valid: bool,
    cause: Option<&'static str>,
    answer: Option<String>,
}

/// True if the delivery is valid.
pub(crate) fn verify(args: &VerifyArgs, print: Print) -> Result<bool> {
    let verdict = Judge::of(&Ask::read(args)?).judge();
    let valid = verdict.cause.is_none();
    if print == Print::Json {
        let told = Told { valid, cause: verdict.cause, answer: verdict.answer };
        say!("{}", serde_json::to_string(&told)?);
        return Ok(valid);
    }
    say!("{}", verdict.cause.map_or("valid".to_owned(), |cause| format!("refused: {cause}")));
    for line in &verdict.words {
        say!("  {line}");
    }
    if let Some(answer) = &verdict.answer {
        say!("  the reply is:\n{answer}");
    }
    Ok(valid)
}

/// An ask, with its headers as the verifier reads them.
struct Judge<'a> {
    ask: &'a Ask,
    headers: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Judge<'a> {
    fn of(ask: &'a Ask) -> Judge<'a> {
        let headers = ask.headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())).collect();
        Judge { ask, headers }
    }

    fn judge(&self) -> Verdict {
        let unusable = |why: String| Verdict { cause: Some("unusable-secret"), answer: None, words: vec![why] };
        let ask = self.ask;
        let secrets = match &ask.secrets {
            Ok(secrets) => secrets,
            Err(why) => return unusable(why.clone()),
        };
        let verifier = match Verifier::new(&ask.scheme, secrets, ask.tolerance) {
            Ok(verifier) => verifier.with_verify_token(ask.verify_token.as_ref().and_then(copied)),
            Err(error) => return unusable(error.to_string()),
        };
        let delivery = self.delivery(&ask.body, &ask.url);
        if ask.scheme.is_challenged_by_get() && ask.method.eq_ignore_ascii_case("GET") {
            return match verifier.challenge(&delivery) {
                Ok(reply) => answered(&reply),
                Err(refusal) => self.refused(&refusal),
            };
        }
        match verifier.verify(&delivery, ask.now) {
            Ok(verified) => self.accepted(&verified),
            Err(refusal) => self.refused(&refusal),
        }
    }

    fn delivery<'b>(&'b self, body: &'b [u8], url: &'b str) -> Delivery<'b> {
        let query = url.split_once('?').map_or("", |(_, query)| query);
        Delivery { method: &self.ask.method, url, query, headers: &self.headers, body }
    }

    fn accepted(&self, verified: &Verified) -> Verdict {
        let mut words = vec![format!("the signature is that of secret {}", verified.secret + 1)];
        if let Some(at) = verified.signed_at {
            words.push(format!("it was signed at {at}, {}", distance(at, self.ask.now)));
        }
        words.push(match verified.integrity {
            Integrity::Full => "it covers every byte of the body".to_owned(),
            Integrity::Partial => "it covers a part of the body only: the rest may be anybody's".to_owned(),
            Integrity::None => "it is a password and covers nothing of the body".to_owned(),
        });
        let answer = verified.challenge.as_ref().map(text);
        Verdict { cause: None, answer, words }
    }

    fn refused(&self, refusal: &Refusal) -> Verdict {
        let mut words = vec![refusal.to_string()];
        match refusal {
            Refusal::OutsideTolerance { .. } => words.push(
                "the signature itself is right: a delivery that was kept and sent again, or two clocks that differ; \
                 --now sets the time, --tolerance none takes any"
                    .to_owned(),
            ),
            Refusal::Mismatch { .. } => {
                let hints = self.hints();
                if hints.is_empty() {
                    words.push(
                        "no guess fits either: most likely the secret is another endpoint's, or the body is not \
                         what came, to the byte"
                            .to_owned(),
                    );
                }
                words.extend(hints);
                words.extend(self.others());
            }
            _ => words.extend(self.others()),
        }
        Verdict { cause: Some(refusal.code()), answer: None, words }
    }

    fn case<'b>(&'b self, secret: &'b Secret) -> Case<'b> {
        Case { body: &self.ask.body, secret: secret.expose(), url: &self.ask.url }
    }

    /// What fits in place of what came.
    fn hints(&self) -> Vec<String> {
        let mut says = Vec::new();
        for secret in self.ask.secrets.iter().flatten() {
            let case = self.case(secret);
            let hints = hint::hints(case, |guess| self.fits(&self.ask.scheme, guess));
            says.extend(hints.into_iter().map(str::to_owned));
        }
        says
    }

    /// Presets under which the delivery is right: the sender may not be the one it is taken for.
    fn others(&self) -> Vec<String> {
        let mut says = Vec::new();
        for scheme in schemes().iter().filter(|scheme| scheme.name() != self.ask.scheme.name()) {
            for secret in self.ask.secrets.iter().flatten() {
                let case = self.case(secret);
                if self.fits(scheme, &case.as_it_is("")) {
                    says.push(format!("it is right for the preset {}: name that one", scheme.name()));
                }
            }
        }
        says
    }

    /// Whether a guess is right; the time does not matter.
    fn fits(&self, scheme: &Scheme, guess: &Guess<'_>) -> bool {
        let Ok(secret) = Secret::new(&*guess.secret) else {
            return false;
        };
        let delivery = self.delivery(&guess.body, &guess.url);
        let verifier = Verifier::new(scheme, &[secret], Some(Millis(u64::MAX)));
        verifier.is_ok_and(|verifier| verifier.verify(&delivery, self.ask.now).is_ok())
    }
}

fn answered(reply: &Reply) -> Verdict {
    let words = vec![format!("the challenge is answered with {} {}", reply.status, reply.content_type)];
    Verdict { cause: None, answer: Some(text(reply)), words }
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

fn copied(secret: &Secret) -> Option<Secret> {
    Secret::new(secret.expose()).ok()
}

fn distance(at: Timestamp, now: Timestamp) -> String {
    let apart = Millis(at.0.abs_diff(now.0));
    match at <= now {
        true => format!("{apart} before the time that counts, {now}"),
        false => format!("{apart} after the time that counts, {now}"),
    }
}
