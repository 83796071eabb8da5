//! What a delivery says it is: event type and delivery id.

use super::delivery::{Delivery, Document};
use super::scheme::{Naming, Place, Scheme};

/// Longest event type: it is matched against patterns and shown.
pub const EVENT_TYPE_BYTES_MAX: usize = 200;

/// Longest delivery id: it is shown and searched for.
pub const DELIVERY_ID_BYTES_MAX: usize = 200;

/// What a verified delivery says about itself.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    pub event_type: Option<String>,
    pub delivery_id: Option<DeliveryId>,
}

/// The sender's name for a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryId {
    pub value: String,
    /// Whether the signature covers it. An unsigned one may be a replayer's invention.
    pub signed: bool,
}

impl Scheme {
    /// Reads type and id where the scheme says they are; to be called once the delivery is verified.
    ///
    /// A value that is empty, too long, not UTF-8, has control characters or stands in a header
    /// twice counts as absent: the delivery is authentic, and refusing it would make its sender
    /// retry for ever. So does a member of a body that is no JSON. Where a member is repeated, the
    /// first counts.
    pub fn locate(&self, delivery: &Delivery<'_>) -> Identity {
        let document = Document(delivery.document(&self.body));
        let event_type = named(&self.event_type, delivery, &document, EVENT_TYPE_BYTES_MAX);
        let id = named(&self.delivery_id, delivery, &document, DELIVERY_ID_BYTES_MAX);
        let signed = self.id_is_signed();
        Identity { event_type, delivery_id: id.map(|value| DeliveryId { value, signed }) }
    }
}

fn named(naming: &Naming, delivery: &Delivery<'_>, document: &Document<'_>, bytes_max: usize) -> Option<String> {
    let read = |place: &Place| bounded(place.value(delivery, document, None)?, bytes_max);
    let joined = naming.iter().find_map(|places| {
        let (first, others) = places.split_first()?;
        let mut joined = read(first)?;
        for part in others.iter().filter_map(read) {
            joined.push('.');
            joined.push_str(&part);
        }
        Some(joined)
    });
    bounded(joined?, bytes_max)
}

fn bounded(text: String, bytes_max: usize) -> Option<String> {
    let good = !text.is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control);
    good.then_some(text)
}
