use serde_json::json;

use super::document::Document;
use crate::operator::alerts;
use crate::operator::overview::Span;
use crate::view::alert::AlertsView;
use crate::view::health::HealthView;
use crate::view::overview::OverviewView;
use crate::view::system::SystemView;

const HOST: &str = "host";

pub(super) fn describe(api: &mut Document) {
    api.get(HOST, "/api/v1/health", "Say how the host is")
        .answers::<HealthView>("200", "Webhooks are taken, and schedules looked at")
        .answers::<HealthView>("503", "They are not, or not yet");
    let spans = Span::ALL.map(|span| span.name);
    api.get(HOST, "/api/v1/overview", "Say whether all is well, and how it went")
        .query("span", json!({ "type": "string", "enum": spans }), "What is looked back on; an hour without it")
        .answers::<OverviewView>("200", "A verdict, what somebody should look at, and what was done");
    api.get(HOST, "/api/v1/system", "Show the host itself, and the limits that count")
        .answers::<SystemView>("200", "The release, the store, its disk and the limits");
    api.get(HOST, "/api/v1/openapi.json", "Show this document").answers_in(
        "200",
        "OpenAPI 3.1",
        "application/json",
        json!({ "type": "object" }),
    );
    api.get(HOST, "/api/v1/alerts", "Say what is wrong, and what was")
        .answers::<AlertsView>("200", "Alerts, and the channels that are told of them");
    api.post(HOST, "/api/v1/alerts/channels/{name}/test", "Send a test by a channel of alerts")
        .answers::<alerts::Tested>("200", "It was delivered");
    api.post(HOST, "/api/v1/backup", "Back up the host").without_key().answers_in(
        "200",
        "One file with everything that a host needs to go on elsewhere",
        "application/octet-stream",
        json!({ "type": "string", "format": "binary" }),
    );
    let text = || json!({ "type": "string" });
    api.get(HOST, "/metrics", "Show the metrics")
        .answers_in("200", "In the text form that Prometheus reads", "text/plain", text())
        .also_in("200", "application/openmetrics-text", text());
}
