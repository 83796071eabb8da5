use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use hookbox_core::body_schema::{Fault, Otherwise};
use hookbox_core::event::{Event, Source};
use hookbox_core::name::ProviderName;
use hookbox_core::verify::Delivery;
use schemars::JsonSchema;
use serde::Deserialize;

use super::query::Query;
use super::{Api, Operator, asked_in};
use crate::ingress::delivery::Read;
use crate::problem::Problem;
use crate::view::Page;
use crate::view::route::{RouteView, RoutesTestView};

/// A body of 1 MiB, in base64, and some headers.
const TEST_BYTES_MAX: usize = 2 << 20;
const HEADERS_MAX: usize = 100;

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<RouteView>>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(Page::whole(operator.store.catalogue().routes().iter().map(RouteView::of))))
}

/// A delivery, or an event that a plugin emits, as it would come.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RoutesTestRequest")]
pub(super) struct Asked {
    /// A provider, or the plugin whose events these are.
    provider: String,
    /// Left out, it is read from the delivery, as the provider's scheme says.
    #[serde(rename = "type")]
    event_type: Option<String>,
    #[serde(default)]
    headers: Vec<(String, String)>,
    /// The body as text.
    body: Option<String>,
    /// The body where it is no text.
    body_base64: Option<String>,
}

/// Which handlers a delivery would reach, and why it would not reach the others. Nothing is taken in.
pub(super) async fn test(State(operator): Api, uri: Uri, body: Body) -> Result<Json<RoutesTestView>, Problem> {
    Query::read(&uri, &[])?;
    let asked: Asked = asked_in(body, TEST_BYTES_MAX).await?;
    let (event, fault) = event(&operator, asked)?;
    Ok(Json(RoutesTestView::of(&operator.store.catalogue(), &event, fault)))
}

/// With what is wrong with its body, where the provider has a schema.
fn event(operator: &Operator, asked: Asked) -> Result<(Event, Option<(Fault, Otherwise)>), Problem> {
    let wrong = |why: &str| Problem::bad_parameter().because(why.to_owned());
    if asked.headers.len() > HEADERS_MAX {
        return Err(wrong("headers: at most 100 are looked at"));
    }
    let body = match (asked.body, asked.body_base64) {
        (Some(_), Some(_)) => return Err(wrong("body and body_base64: give one of them")),
        (body, None) => body.unwrap_or_default().into_bytes(),
        (None, Some(text)) => STANDARD.decode(text).map_err(|_| wrong("body_base64: is no base64"))?,
    };
    let headers: Vec<(String, String)> =
        asked.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).collect();
    let name = ProviderName::parse(&asked.provider).map_err(|error| wrong(&format!("provider: {error}")))?;
    let providers = operator.providers.load();
    let live = providers.find(name.as_str());
    let Some((name, live)) = live else {
        let event_type = asked.event_type.ok_or_else(|| {
            wrong("type: is needed, because no live provider has this name and the delivery cannot say it")
        })?;
        return Ok((plain(operator, name, event_type, &headers, body), None));
    };
    let pairs: Vec<_> = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
    let delivery = Delivery { method: "POST", url: "", query: "", headers: &pairs, body: &body };
    let read = Read::presumed(name, live.verifier.scheme(), &delivery)
        .ok_or_else(|| Problem::broken_json().because("the provider's deliveries are refused with such a body"))?;
    if read.is_batch() {
        return Err(wrong("body: is a batch, of which each event is routed by itself: give one of them"));
    }
    let Some(parts) = read.into_parts().pop() else { return Err(wrong("body: has no event")) };
    let event_type = asked.event_type.unwrap_or_else(|| parts.event_type().to_owned());
    let fault = live.fault(name, &event_type, parts.document());
    let event = parts.into_event(&Bytes::from(body.clone()), &operator.mint, operator.clock.now()).event;
    Ok((Event { event_type, ..event }, fault))
}

/// What comes under a name that no live provider has.
fn plain(
    operator: &Operator,
    provider: ProviderName,
    event_type: String,
    headers: &[(String, String)],
    data: Vec<u8>,
) -> Event {
    let now = operator.clock.now();
    let content_type = headers.iter().find(|(name, _)| name == "content-type").map(|(_, value)| value.clone());
    let kept = headers.iter().map(|(name, value)| (format!("header.{name}"), value.clone()));
    Event {
        id: operator.mint.event(now),
        namespace: provider.to_string(),
        source: Source::Provider(provider.clone()),
        event_type,
        subject: None,
        time: now,
        content_type: content_type.unwrap_or_else(|| "application/json".to_owned()),
        data,
        attributes: std::iter::once(("provider".to_owned(), provider.to_string())).chain(kept).collect(),
        hops: 0,
    }
}
