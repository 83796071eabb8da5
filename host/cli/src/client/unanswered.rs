//! Requests that got no answer: whether the host may have got them.

use std::io::ErrorKind;

use ureq::{Error, Timeout};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrived {
    Perhaps,
    Never,
}

impl Arrived {
    pub(super) fn after(error: &Error) -> Arrived {
        let perhaps = match error {
            Error::Timeout(phase) => !matches!(phase, Timeout::Resolve | Timeout::Connect),
            Error::Io(error) => matches!(
                error.kind(),
                ErrorKind::UnexpectedEof
                    | ErrorKind::ConnectionReset
                    | ErrorKind::ConnectionAborted
                    | ErrorKind::BrokenPipe
                    | ErrorKind::TimedOut
            ),
            Error::Protocol(_) | Error::LargeResponseHeader(..) => true,
            _ => false,
        };
        if perhaps { Arrived::Perhaps } else { Arrived::Never }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn what_broke_off_after_it_was_sent_may_have_been_done() {
        for phase in [Timeout::Global, Timeout::SendBody, Timeout::RecvResponse, Timeout::RecvBody] {
            assert_eq!(Arrived::after(&Error::Timeout(phase)), Arrived::Perhaps, "{phase:?}");
        }
        for kind in [ErrorKind::UnexpectedEof, ErrorKind::ConnectionReset] {
            assert_eq!(Arrived::after(&Error::Io(io::Error::from(kind))), Arrived::Perhaps, "{kind:?}");
        }
    }

    #[test]
    fn what_reached_nobody_was_not_done() {
        let refused = io::Error::from(ErrorKind::ConnectionRefused);
        for error in [Error::Timeout(Timeout::Resolve), Error::Timeout(Timeout::Connect), Error::Io(refused)] {
            assert_eq!(Arrived::after(&error), Arrived::Never, "{error:?}");
        }
        assert_eq!(Arrived::after(&Error::HostNotFound), Arrived::Never);
    }
}
