//! What a delivery says it is: event type and delivery id.

use super::cloudevents::{CloudEvent, CloudEvents};
use super::delivery::{Delivery, Document};
use super::json::{self, Scalar};
use super::scheme::{Naming, Place, Scheme};

/// Longest event type: it is matched against patterns and shown.
pub const EVENT_TYPE_BYTES_MAX: usize = 200;

/// Longest delivery id: it is shown and searched for.
pub const DELIVERY_ID_BYTES_MAX: usize = 200;

/// The type of a delivery with several events of different types.
const BATCH: &str = "batch";

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
        match self.cloud_events(delivery) {
            None => self.locate_by_places(delivery),
            Some(Ok(CloudEvents::One(event))) => self.identity_of(&event),
            Some(Ok(CloudEvents::Batch(events))) => {
                let mut types = events.iter().map(|event| &event.event_type);
                let first = types.next();
                let same = types.all(|other| Some(other) == first);
                let event_type = first.map(|first| if same { first.clone() } else { BATCH.to_owned() });
                Identity {
                    event_type: event_type.and_then(|text| bounded(text, EVENT_TYPE_BYTES_MAX)),
                    delivery_id: None,
                }
            }
            Some(Err(_)) => Identity::default(),
        }
    }

    /// Type and id of one of the events that a delivery holds.
    pub fn identity_of(&self, event: &CloudEvent<'_>) -> Identity {
        let id = bounded(event.id.clone(), DELIVERY_ID_BYTES_MAX);
        Identity {
            event_type: bounded(event.event_type.clone(), EVENT_TYPE_BYTES_MAX),
            delivery_id: id.map(|value| DeliveryId { value, signed: self.signs_id_of(event) }),
        }
    }

    pub(super) fn signs_id_of(&self, event: &CloudEvent<'_>) -> bool {
        self.signs(&[if event.in_body { Place::Json("id".into()) } else { Place::Header("ce-id".into()) }])
    }

    fn locate_by_places(&self, delivery: &Delivery<'_>) -> Identity {
        let document = Document(delivery.document(&self.body));
        let event_type = named(&self.event_type, delivery, &document, EVENT_TYPE_BYTES_MAX);
        let event_type = event_type.map(|(event_type, _)| event_type).or_else(|| {
            let mixed = self.event_type.iter().any(|places| is_mixed(places, &document));
            mixed.then(|| BATCH.to_owned())
        });
        let id = named(&self.delivery_id, delivery, &document, DELIVERY_ID_BYTES_MAX);
        let delivery_id = id.map(|(value, places)| DeliveryId { value, signed: self.signs(places) });
        Identity { event_type, delivery_id }
    }
}

/// The first name whose first place has a value, and the places it is from.
fn named<'n>(
    naming: &'n Naming,
    delivery: &Delivery<'_>,
    document: &Document<'_>,
    bytes_max: usize,
) -> Option<(String, &'n [Place])> {
    let read = |place: &Place| bounded(place.value(delivery, document, None)?, bytes_max);
    let (joined, places) = naming.iter().find_map(|places| {
        let (first, others) = places.split_first()?;
        let mut joined = read(first)?;
        for part in others.iter().filter_map(read) {
            joined.push('.');
            joined.push_str(&part);
        }
        Some((joined, places.as_ref()))
    })?;
    Some((bounded(joined, bytes_max)?, places))
}

fn is_mixed(places: &[Place], document: &Document<'_>) -> bool {
    let mixed = |path: &str| json::scalar(&document.0, path) == Scalar::Mixed;
    places.first().is_some_and(|place| matches!(place, Place::Json(path) if mixed(path)))
}

fn bounded(text: String, bytes_max: usize) -> Option<String> {
    let good = !text.is_empty() && text.len() <= bytes_max && !text.chars().any(char::is_control);
    good.then_some(text)
}
