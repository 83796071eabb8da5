use serde_json::json;

use super::document::{Document, id};
use crate::operator::{routes, unrouted};
use crate::view::Page;
use crate::view::event::{EventDetailView, EventView};
use crate::view::route::{RouteView, RoutedAllView, RoutedView, RoutesTestView};
use crate::view::suppressed::{SuppressedDetailView, SuppressedView};

const EVENTS: &str = "events";
const ROUTES: &str = "routes";

pub(super) fn describe(api: &mut Document) {
    api.get(EVENTS, "/api/v1/events", "List events")
        .says("Newest first, without their bodies.")
        .paged(id("evt"))
        .query("unrouted", json!({ "type": "boolean" }), "Those alone that have reached no handler")
        .answers::<Page<EventView>>("200", "A page");
    api.get(EVENTS, "/api/v1/events/{id}", "Show an event")
        .answers::<EventDetailView>("200", "The event with its body and its runs");
    api.post(EVENTS, "/api/v1/events/{id}/route", "Route an event that reached no handler")
        .answers::<RoutedView>("200", "The runs that were made");
    api.post(EVENTS, "/api/v1/events/route", "Route all events that reached no handler")
        .says("Oldest first, at most 100 in one request: `next` is `after` of the next one.")
        .body::<unrouted::Asked>()
        .answers::<RoutedAllView>("200", "What was done, or would be");
    api.get(EVENTS, "/api/v1/suppressed", "List duplicates")
        .paged(id("evt"))
        .answers::<Page<SuppressedView>>("200", "A page");
    api.get(EVENTS, "/api/v1/suppressed/{id}", "Show a duplicate")
        .answers::<SuppressedDetailView>("200", "The delivery with its body");
    api.post(EVENTS, "/api/v1/suppressed/{id}/release", "Take a duplicate in as an event")
        .answers::<RoutedView>("200", "The event and its runs");
    api.get(ROUTES, "/api/v1/routes", "List what leads to handlers")
        .answers::<Page<RouteView>>("200", "All handlers that take events");
    api.post(ROUTES, "/api/v1/routes/test", "Say which handlers a delivery would reach")
        .without_key()
        .says("Nothing is taken in.")
        .body::<routes::Asked>()
        .answers::<RoutesTestView>("200", "Each handler, and why it is reached or not");
}
