//! Secrets that come to an end.

use std::cmp::Reverse;

use super::key::UnusableSecret;
use super::{Delivery, Refusal, Reply, Scheme, Verified, Verifier};
use crate::secret::Secret;
use crate::time::Timestamp;

/// A secret, and how long it counts.
#[derive(Debug)]
pub struct LastingSecret {
    pub secret: Secret,
    /// The last instant that it counts; for ever where there is none.
    pub not_after: Option<Timestamp>,
}

/// The secrets of one provider over time. Which of them count is decided for each delivery, by the
/// same reading of the clock as its own time: nothing has to happen at the moment a secret ends.
#[derive(Debug)]
pub struct Keyring {
    scheme: Scheme,
    /// One for each stretch of time in which the same secrets count, in order; the last one ends
    /// unless a secret counts for ever.
    spans: Vec<Span>,
    /// Where the operator listed each of a verifier's secrets.
    listed: Vec<usize>,
}

#[derive(Debug)]
struct Span {
    /// The last instant of it.
    until: Option<Timestamp>,
    verifier: Verifier,
}

impl Keyring {
    /// Makes a verifier for each stretch of time, with `make`. Fails on a secret that the scheme
    /// cannot use, whether it still counts or not, and without any.
    pub fn new(
        secrets: Vec<LastingSecret>,
        make: impl Fn(&[Secret]) -> Result<Verifier, UnusableSecret>,
    ) -> Result<Keyring, UnusableSecret> {
        let mut secrets: Vec<_> = secrets.into_iter().enumerate().collect();
        // Those that count longest come first, so that at any time those that count are a beginning.
        secrets.sort_by_key(|(_, lasting)| Reverse(lasting.not_after.unwrap_or(Timestamp(u64::MAX))));
        let ends: Vec<Option<Timestamp>> = secrets.iter().map(|(_, lasting)| lasting.not_after).collect();
        let (listed, secrets): (Vec<_>, Vec<_>) =
            secrets.into_iter().map(|(position, lasting)| (position, lasting.secret)).unzip();
        let as_listed = |error| match error {
            UnusableSecret::Malformed { scheme, position, why } => {
                UnusableSecret::Malformed { scheme, position: listed.get(position).copied().unwrap_or(position), why }
            }
            other => other,
        };
        let mut spans = Vec::new();
        for (position, until) in ends.iter().enumerate().rev() {
            if spans.last().is_none_or(|span: &Span| span.until != *until) {
                let counting = secrets.get(..=position).unwrap_or_default();
                spans.push(Span { until: *until, verifier: make(counting).map_err(as_listed)? });
            }
        }
        let scheme = match spans.first() {
            Some(span) => span.verifier.scheme().clone(),
            None => make(&[])?.scheme().clone(),
        };
        Ok(Keyring { scheme, spans, listed })
    }

    pub fn scheme(&self) -> &Scheme {
        &self.scheme
    }

    /// The verifier of this moment; none once every secret has ended.
    pub fn at(&self, now: Timestamp) -> Option<&Verifier> {
        let span = self.spans.iter().find(|span| span.until.is_none_or(|until| now <= until));
        span.map(|span| &span.verifier)
    }

    /// As [`Verifier::verify`], with the secrets that count now; the position of the secret that
    /// fits is the one that it was listed at.
    pub fn verify(&self, delivery: &Delivery<'_>, now: Timestamp) -> Result<Verified, Refusal> {
        let verifier = self.at(now).ok_or(Refusal::SecretsEnded)?;
        let verified = verifier.verify(delivery, now)?;
        Ok(Verified { secret: self.listed.get(verified.secret).copied().unwrap_or(verified.secret), ..verified })
    }

    /// As [`Verifier::challenge`], with the secrets that count now, of which the first that is listed signs.
    pub fn challenge(&self, delivery: &Delivery<'_>, now: Timestamp) -> Result<Reply, Refusal> {
        let verifier = self.at(now).ok_or(Refusal::SecretsEnded)?;
        let counting = self.listed.iter().take(verifier.keys.len()).enumerate();
        let first = counting.min_by_key(|(_, listed)| **listed).map_or(0, |(position, _)| position);
        verifier.challenge_under(first, delivery)
    }

    /// When the last secret ends, or ended; none where one counts for ever.
    pub fn ends(&self) -> Option<Timestamp> {
        self.spans.last().and_then(|span| span.until)
    }
}

/// Its secrets count for ever.
impl From<Verifier> for Keyring {
    fn from(verifier: Verifier) -> Keyring {
        let scheme = verifier.scheme().clone();
        Keyring { scheme, spans: vec![Span { until: None, verifier }], listed: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Outgoing, sign};
    use super::*;
    use crate::time::Millis;

    const NOON: Timestamp = Timestamp(1_764_000_000_000);
    const ONE: Timestamp = Timestamp(NOON.0 + 3_600_000);

    fn scheme() -> &'static Scheme {
        Scheme::named("generic").unwrap()
    }

    fn keyring(secrets: &[(&str, Option<Timestamp>)]) -> Result<Keyring, UnusableSecret> {
        let lasting = |(secret, not_after): &(&str, Option<Timestamp>)| LastingSecret {
            secret: Secret::new(*secret).unwrap(),
            not_after: *not_after,
        };
        let make = |secrets: &[Secret]| Verifier::new(scheme(), secrets, None);
        Keyring::new(secrets.iter().map(lasting).collect(), make)
    }

    /// Where the secret that fits was listed.
    fn fits(keyring: &Keyring, secret: &str, now: Timestamp) -> Result<usize, Refusal> {
        let out = Outgoing::post("1", b"{}");
        let headers = sign(scheme(), &Secret::new(secret).unwrap(), now, &out).unwrap().headers;
        let headers: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        keyring
            .verify(&Delivery { method: "POST", url: "", query: "", headers: &headers, body: b"{}" }, now)
            .map(|verified| verified.secret)
    }

    #[test]
    fn a_secret_counts_to_its_end_and_not_a_millisecond_longer() {
        let keyring = keyring(&[("old", Some(NOON)), ("new", None), ("older", Some(ONE))]).unwrap();
        let after = |at: Timestamp| at.plus(Millis(1));
        let mismatch = |secret, at| matches!(fits(&keyring, secret, at), Err(Refusal::Mismatch { .. }));
        for at in [Timestamp(0), NOON] {
            assert_eq!(["old", "new", "older"].map(|secret| fits(&keyring, secret, at).unwrap()), [0, 1, 2]);
        }
        for at in [after(NOON), ONE] {
            assert!(mismatch("old", at));
            assert_eq!(["new", "older"].map(|secret| fits(&keyring, secret, at).unwrap()), [1, 2]);
        }
        assert!(mismatch("older", after(ONE)));
        assert_eq!(fits(&keyring, "new", after(ONE)), Ok(1));
        assert_eq!(keyring.ends(), None);
    }

    #[test]
    fn secrets_that_end_together_count_together() {
        let keyring = keyring(&[("a", Some(ONE)), ("b", Some(NOON)), ("c", Some(ONE))]).unwrap();
        assert_eq!(keyring.spans.len(), 2);
        assert_eq!(["a", "c"].map(|secret| fits(&keyring, secret, ONE).unwrap()), [0, 2]);
        assert_eq!(keyring.ends(), Some(ONE));
    }

    #[test]
    fn nothing_fits_once_every_secret_has_ended() {
        let keyring = keyring(&[("old", Some(NOON))]).unwrap();
        assert_eq!(fits(&keyring, "old", NOON), Ok(0));
        assert_eq!(fits(&keyring, "old", ONE), Err(Refusal::SecretsEnded));
        assert!(keyring.at(ONE).is_none());
    }

    #[test]
    fn a_secret_that_cannot_be_used_is_named_as_it_was_listed() {
        let letters = Scheme::named("standard-webhooks").unwrap();
        let lasting = |secret: &str, not_after| LastingSecret { secret: Secret::new(secret).unwrap(), not_after };
        let good = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        let secrets = vec![lasting(good, Some(NOON)), lasting("whsec_AAAA", Some(NOON)), lasting(good, None)];
        let made = Keyring::new(secrets, |secrets| Verifier::new(letters, secrets, None));
        assert!(matches!(made, Err(UnusableSecret::Malformed { position: 1, .. })), "{made:?}");
        assert!(matches!(keyring(&[]), Err(UnusableSecret::None { .. })));
    }
}
