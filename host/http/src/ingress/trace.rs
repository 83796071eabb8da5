//! The spans of a delivery that was verified. Strangers make none.

use hookbox_core::name::ProviderName;
use hookbox_core::trace::{Began, Entered, Kind, Tracing, Unended};
use hookbox_store::types::Accepted;

use super::answer::Taken;
use super::refused::Refused;

/// One delivery, until it is answered. Its span is sent in any case: its events name it, and they are written also where
/// the sender goes away before it is answered.
pub(super) struct Traced {
    tracing: Tracing,
    entered: Entered,
    began: Began,
    provider: ProviderName,
    answered: bool,
}

impl Traced {
    pub(super) fn of(
        tracing: &Tracing,
        entered: Option<Entered>,
        began: Option<Began>,
        provider: &ProviderName,
    ) -> Option<Traced> {
        let (tracing, provider) = (tracing.clone(), provider.clone());
        Some(Traced { tracing, entered: entered?, began: began?, provider, answered: false })
    }

    /// A part of it that ends now.
    pub(super) fn part(&self, name: &'static str, began: Option<Began>) {
        let whole = self.entered.context;
        if let (Some(own), Some(began)) = (self.tracing.below(whole), began) {
            self.tracing.ended(began, Unended::new(own, Some(whole.span), name, Kind::Internal));
        }
    }

    pub(super) fn end(mut self, taken: &Result<Taken, Refused>) {
        self.answered = true;
        let mut span = self.whole();
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

    fn whole(&self) -> Unended {
        let Entered { context, parent, link } = self.entered;
        let name = format!("webhook {}", self.provider);
        let span = Unended::new(context, parent, name, Kind::Server)
            .with("http.request.method", "POST")
            .with("hookbox.provider", self.provider.as_str());
        Unended { parent_is_remote: parent.is_some(), link, ..span }
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if !self.answered {
            self.tracing.ended(self.began, self.whole().with("hookbox.outcome", "gone"));
        }
    }
}
