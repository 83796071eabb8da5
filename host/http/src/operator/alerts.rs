//! What is wrong, what was, and who is told.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::name::PluginName;
use schemars::JsonSchema;
use serde::Serialize;

use super::query::{Named, Query};
use super::{Api, Operator, audited, nothing_in};
use crate::problem::Problem;
use crate::view::alert::AlertsView;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<AlertsView>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(AlertsView::of(&operator.alerts.shown())))
}

/// Sends a message that says that it is a test.
pub(super) async fn test(
    State(operator): Api,
    Named(channel): Named<PluginName>,
    uri: Uri,
    body: Body,
) -> Result<Json<Tested>, Problem> {
    Query::read(&uri, &[])?;
    nothing_in(body).await?;
    audited("test alerts of", channel.as_str(), sent(&operator, channel.as_str()).await)?;
    Ok(Json(Tested { channel: channel.to_string(), delivered: true }))
}

#[derive(JsonSchema, Serialize)]
pub(super) struct Tested {
    channel: String,
    delivered: bool,
}

async fn sent(operator: &Operator, channel: &str) -> Result<(), Problem> {
    let shown = operator.alerts.shown();
    if !shown.channels.contains_key(channel) {
        let names: Vec<&str> = shown.channels.keys().map(String::as_str).collect();
        let known = if names.is_empty() { "none is set".to_owned() } else { format!("known: {}", names.join(", ")) };
        return Err(Problem::not_found().because(format!("alerts.channels in hooks.yaml has no {channel}; {known}")));
    }
    operator.alerts.test(channel).await.map_err(|failure| Problem::undelivered().because(failure))
}
