use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use crate::{http, kv, queue};

/// What handlers return: `Result` alone is `Result<(), Error>`.
pub type Result<T = (), E = Error> = std::result::Result<T, E>;

/// Why a handler failed. Through `?`, any error becomes a retryable one; the few
/// errors of the host that no repetition cures become permanent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The run is tried again, after the host's backoff unless a wait is given.
    Retryable { message: String, retry_after: Option<Duration> },
    /// Trying again cannot help: the run becomes a dead letter at once.
    Permanent(String),
}

impl Error {
    pub fn permanent(message: impl fmt::Display) -> Self {
        Error::Permanent(message.to_string())
    }

    pub fn retry(message: impl fmt::Display) -> Self {
        Error::Retryable { message: message.to_string(), retry_after: None }
    }

    /// The next attempt is not made before `wait` is over.
    pub fn retry_after(message: impl fmt::Display, wait: Duration) -> Self {
        Error::Retryable { message: message.to_string(), retry_after: Some(wait) }
    }

    pub fn is_permanent(&self) -> bool {
        matches!(self, Error::Permanent(_))
    }

    pub fn message(&self) -> &str {
        match self {
            Error::Retryable { message, .. } | Error::Permanent(message) => message,
        }
    }
}

// Not `std::error::Error`: that would forbid the conversion below.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl<E: StdError + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        let any: &(dyn StdError + 'static) = &error;
        let hopeless = any.downcast_ref::<kv::Error>().is_some_and(kv::Error::is_permanent)
            || any.downcast_ref::<queue::Error>().is_some_and(queue::Error::is_permanent)
            || any.downcast_ref::<http::Error>().is_some_and(http::Error::is_permanent);
        let retry_after = any.downcast_ref().and_then(http::Error::retry_after);
        let message = with_causes(any);
        match hopeless {
            true => Error::Permanent(message),
            false => Error::Retryable { message, retry_after },
        }
    }
}

/// `what failed: because: because`.
fn with_causes(error: &dyn StdError) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message = format!("{message}: {error}");
        cause = error.source();
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through<E: StdError + 'static>(error: E) -> Error {
        let fail = || -> Result { Err(error)? };
        fail().unwrap_err()
    }

    #[test]
    fn any_error_becomes_a_retryable_one() {
        let error = through("x".parse::<u8>().unwrap_err());
        assert_eq!(error, Error::retry("invalid digit found in string"));
    }

    #[test]
    fn what_no_repetition_cures_becomes_permanent() {
        assert!(through(kv::Error::WrongType).is_permanent());
        assert!(through(queue::Error::UnknownHandler).is_permanent());
        assert!(!through(kv::Error::Unavailable("busy".into())).is_permanent());
    }

    #[test]
    fn causes_are_told_in_order() {
        #[derive(Debug)]
        struct Outer(std::num::ParseIntError);
        impl fmt::Display for Outer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("no amount")
            }
        }
        impl StdError for Outer {
            fn source(&self) -> Option<&(dyn StdError + 'static)> {
                Some(&self.0)
            }
        }
        let error = through(Outer("".parse::<u8>().unwrap_err()));
        assert_eq!(error.message(), "no amount: cannot parse integer from empty string");
    }
}
