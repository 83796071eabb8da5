//! Asking again a host that is away for a moment, such as for a restart, until it refuses for good.

use std::time::Duration;

use anyhow::Result;

use super::Refused;

/// However long a host wants to be left alone: as long as it counts wrong tokens.
const WAIT_MAX: Duration = Duration::from_secs(600);

/// Of whoever follows something that has answered once.
#[derive(Debug)]
pub(crate) struct Patience {
    /// Between two tries.
    every: Duration,
    away: bool,
}

impl Patience {
    pub(crate) fn new(every: Duration) -> Patience {
        Patience { every, away: false }
    }

    pub(crate) fn answered(&mut self) {
        self.away = false;
    }

    /// How long to wait before it is asked again. Gives the error back where the same question is never answered
    /// otherwise: each further one would count against whoever asks from the same address.
    pub(crate) fn failed(&mut self, error: anyhow::Error) -> Result<Duration> {
        let refused = error.downcast_ref::<Refused>();
        if refused.is_some_and(Refused::is_final) {
            return Err(error);
        }
        let wait = refused.and_then(|refused| refused.retry_after).unwrap_or_default().clamp(self.every, WAIT_MAX);
        if !std::mem::replace(&mut self.away, true) {
            eprintln!("{error:#}; asking again");
        }
        Ok(wait)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    const EVERY: Duration = Duration::from_millis(300);

    fn failed(error: anyhow::Error) -> Result<Duration> {
        Patience::new(EVERY).failed(error)
    }

    #[test]
    fn a_host_that_is_away_or_busy_is_asked_again_and_one_that_refuses_is_not() {
        for status in [400, 401, 403, 404, 410, 421] {
            let error = failed(Refused::with(status, None).into()).unwrap_err();
            assert!(error.to_string().contains(&status.to_string()), "{error}");
        }
        for status in [408, 429, 500, 502, 503] {
            assert_eq!(failed(Refused::with(status, None).into()).unwrap(), EVERY, "{status}");
        }
        assert_eq!(failed(anyhow!("no host answers")).unwrap(), EVERY);
    }

    #[test]
    fn one_that_says_for_how_long_is_left_alone_for_so_long() {
        let asked = |seconds| failed(Refused::with(429, Some(Duration::from_secs(seconds))).into()).unwrap();
        assert_eq!(asked(42), Duration::from_secs(42));
        assert_eq!(asked(0), EVERY, "the usual wait at least");
        assert_eq!(asked(1_000_000), WAIT_MAX);
    }
}
