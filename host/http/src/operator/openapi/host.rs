use serde_json::json;

use super::document::Document;
use crate::view::health::HealthView;

const HOST: &str = "host";

pub(super) fn describe(api: &mut Document) {
    api.get(HOST, "/api/v1/health", "Say how the host is")
        .answers::<HealthView>("200", "Webhooks are taken")
        .answers::<HealthView>("503", "They are not, or not yet");
    api.get(HOST, "/api/v1/openapi.json", "Show this document").answers_in(
        "200",
        "OpenAPI 3.1",
        "application/json",
        json!({ "type": "object" }),
    );
    api.get(HOST, "/metrics", "Show the metrics").answers_in(
        "200",
        "In the text form that Prometheus reads",
        "application/openmetrics-text",
        json!({ "type": "string" }),
    );
}
