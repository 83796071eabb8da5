//! Why a webhook is not taken: what the log says, and what the sender is told.

use hookbox_core::body_schema::Fault;
use hookbox_core::encoding::NotInflated;
use hookbox_core::time::Millis;
use hookbox_core::verify::{NotCloudEvents, Refusal};
use hookbox_store::StoreError;

use crate::bodies::Full;
use crate::body::Unread;
use crate::problem::Problem;

#[derive(Debug)]
pub(super) enum Refused {
    Starting,
    Draining,
    /// As many are in flight as may be.
    Busy,
    /// Its source address holds its share of what may be in flight.
    SourceBusy,
    /// As many runs wait as may.
    QueueFull,
    /// As many runs of one of its handlers wait as are its share.
    HandlerFull,
    /// Its source address has sent too many: after so long there is room for one more.
    SourceRate(Millis),
    Unread(Unread),
    UnknownProvider,
    /// Its provider does not send from there.
    SourceNotAllowed,
    Unverified(Refusal),
    /// It is the provider's, which has sent too many.
    ProviderRate(Millis),
    /// The body is the sender's, but cannot be inflated.
    NotInflated(NotInflated),
    /// The body is the sender's, but not the JSON that it is declared to be.
    BrokenJson,
    /// The body is the sender's, but no CloudEvents, which is what it sends.
    NotCloudEvents(NotCloudEvents),
    /// The body is the sender's, but not as the provider's schema wants it.
    InvalidBody(Fault),
    Store(StoreError),
}

impl Refused {
    /// As operators read it: what is wrong, never what was sent.
    pub(super) fn message(&self) -> String {
        match self {
            Refused::Unverified(refusal) => refusal.to_string(),
            Refused::NotCloudEvents(error) => error.to_string(),
            Refused::InvalidBody(fault) => fault.to_string(),
            Refused::SourceNotAllowed => "the provider's allow_from does not name this address".to_owned(),
            Refused::SourceRate(_) => "this address sends more than server.limits.per_source".to_owned(),
            Refused::SourceBusy => "this address holds its share of server.limits.in_flight".to_owned(),
            Refused::ProviderRate(_) => "the provider sends more than its rate".to_owned(),
            Refused::Busy => "as many webhooks are taken in as server.limits.in_flight lets".to_owned(),
            Refused::QueueFull => "as many runs wait as server.limits.queue lets".to_owned(),
            Refused::HandlerFull => {
                "as many runs of one of its handlers wait as its share of server.limits.queue lets".to_owned()
            }
            Refused::UnknownProvider => "no live provider has this name: hookbox check tells of secrets".to_owned(),
            Refused::Unread(Unread::TooLarge) => "the body is larger than limits.body".to_owned(),
            Refused::Unread(Unread::TooSlow) => "the body did not come in time".to_owned(),
            Refused::Unread(Unread::NoRoom(Full::Host)) => {
                "as many bytes of bodies are held as server.limits.bodies lets".to_owned()
            }
            Refused::Unread(Unread::NoRoom(Full::Source)) => {
                "this address holds its share of server.limits.bodies".to_owned()
            }
            Refused::NotInflated(error) => error.to_string(),
            Refused::BrokenJson => "the content type is JSON, and the body is none".to_owned(),
            Refused::Store(error) => error.to_string(),
            Refused::Starting | Refused::Draining | Refused::Unread(Unread::Cut) => self.code().to_owned(),
        }
    }

    pub(super) fn code(&self) -> &'static str {
        match self {
            Refused::Starting => "starting",
            Refused::Draining => "draining",
            Refused::Busy => "busy",
            Refused::SourceBusy => "source-busy",
            Refused::QueueFull => "queue-full",
            Refused::HandlerFull => "handler-full",
            Refused::SourceRate(_) => "source-rate",
            Refused::Unread(Unread::TooLarge) => "large-body",
            Refused::Unread(Unread::TooSlow) => "slow-body",
            Refused::Unread(Unread::Cut) => "broken-body",
            Refused::Unread(Unread::NoRoom(Full::Host)) => "bodies-full",
            Refused::Unread(Unread::NoRoom(Full::Source)) => "source-bodies-full",
            Refused::UnknownProvider => "unknown-provider",
            Refused::SourceNotAllowed => "source-not-allowed",
            Refused::Unverified(refusal) => refusal.code(),
            Refused::ProviderRate(_) => "provider-rate",
            Refused::NotInflated(NotInflated::Unknown) => "unknown-encoding",
            Refused::NotInflated(NotInflated::Broken) => "broken-encoding",
            Refused::NotInflated(NotInflated::TooLarge) => "inflates-too-far",
            Refused::BrokenJson => "broken-json",
            Refused::NotCloudEvents(_) => "no-cloudevents",
            Refused::InvalidBody(_) => "invalid-body",
            Refused::Store(_) => "store",
        }
    }

    /// One line; never the body, a signature or another header's value.
    pub(super) fn log(&self, provider: &str) {
        let reason = self.code();
        match self {
            Refused::Store(error) => {
                tracing::error!(provider, reason, %error, "a webhook of {provider} was not stored: {error}");
            }
            Refused::Unverified(refusal) => {
                tracing::info!(provider, reason, "a webhook of {provider} was refused: {refusal}");
            }
            _ => tracing::info!(provider, reason, "a webhook of {provider} was refused: {reason}"),
        }
    }
}

/// A stranger gets the same answer whatever was wrong with a delivery, down to the byte.
impl From<Refused> for Problem {
    fn from(refused: Refused) -> Problem {
        match refused {
            Refused::UnknownProvider | Refused::SourceNotAllowed | Refused::Unverified(_) => Problem::unverified(),
            Refused::Unread(Unread::TooLarge) => Problem::large_body(),
            Refused::Unread(Unread::TooSlow) => Problem::slow_body(),
            Refused::Unread(Unread::Cut) => Problem::broken_body(),
            Refused::SourceRate(wait) | Refused::ProviderRate(wait) => Problem::too_many_for(wait),
            Refused::NotInflated(NotInflated::Unknown) => {
                Problem::unknown_encoding().with_header("accept-encoding", "gzip, deflate")
            }
            Refused::NotInflated(NotInflated::Broken) => Problem::broken_encoding(),
            Refused::NotInflated(NotInflated::TooLarge) => Problem::large_body(),
            Refused::BrokenJson => Problem::broken_json(),
            Refused::NotCloudEvents(error) => Problem::no_cloudevents().because(error.to_string()),
            Refused::InvalidBody(fault) => Problem::invalid_body().because(fault.to_string()).at(fault.pointer),
            Refused::Starting
            | Refused::Draining
            | Refused::Busy
            | Refused::SourceBusy
            | Refused::QueueFull
            | Refused::HandlerFull
            | Refused::Unread(Unread::NoRoom(_))
            | Refused::Store(_) => Problem::for_now(),
        }
    }
}
