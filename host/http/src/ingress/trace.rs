//! The spans of a delivery that was verified. Strangers make none.

use hookbox_core::name::ProviderName;
use hookbox_core::trace::{Began, Entered, Kind, Tracing, Unended};
use hookbox_store::types::Accepted;

use super::answer::Taken;
use super::refused::Refused;

/// One delivery, until it is answered.
pub(super) struct Traced {
    tracing: Tracing,
    entered: Entered,
    began: Began,
    provider: ProviderName,
}

impl Traced {
    pub(super) fn of(
        tracing: &Tracing,
        entered: Option<Entered>,
        began: Option<Began>,
        provider: &ProviderName,
    ) -> Option<Traced> {
        Some(Traced { tracing: tracing.clone(), entered: entered?, began: began?, provider: provider.clone() })
    }

    /// A part of it that ends now.
    pub(super) fn part(&self, name: &'static str, began: Option<Began>) {
        let whole = self.entered.context;
        if let (Some(own), Some(began)) = (self.tracing.below(whole), began) {
            self.tracing.ended(began, Unended::new(own, Some(whole.span), name, Kind::Internal));
        }
    }

    pub(super) fn end(self, taken: &Result<Taken, Refused>) {
        let Entered { context, parent, link } = self.entered;
        let name = format!("webhook {}", self.provider);
        let span = Unended::new(context, parent, name, Kind::Server)
            .with("http.request.method", "POST")
            .with("hookbox.provider", self.provider.as_str());
        let mut span = Unended { parent_is_remote: parent.is_some(), link, ..span };
        match taken {
            Ok(Taken::Event(accepted, _) | Taken::Batch(accepted)) => {
                let (id, outcome) = match accepted.first() {
                    Some(Accepted::New(id)) => (id.to_string(), "accepted"),
                    Some(Accepted::Duplicate { first, .. }) => (first.to_string(), "duplicate"),
                    None => (String::new(), "empty"),
                };
                span = span.with("hookbox.event.id", id).with("hookbox.outcome", outcome);
            }
            Ok(Taken::Reply(_) | Taken::Paired) => {}
            Err(refused) => {
                span = span.with("hookbox.outcome", refused.code());
                span.failure = Some(refused.message());
            }
        }
        self.tracing.ended(self.began, span);
    }
}
