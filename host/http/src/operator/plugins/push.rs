use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, Uri};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookbox_core::limits::COMPONENT_BYTES_MAX;
use hookbox_core::name::PluginName;
use hookbox_core::time::Millis;
use hookbox_core::trust::SIGNATURE_BYTES_MAX;
use hookbox_store::catalogue::{PluginCommand, Wish};

use super::super::query::Query;
use super::super::{Api, Operator, access, audited, bytes_of};
use crate::body;
use crate::problem::Problem;
use crate::uploads::WAITING_MAX;
use crate::view::plugin::PluginView;

/// The text of a minisign file, in base64.
const SIGNATURE: HeaderName = HeaderName::from_static("hookbox-signature");
/// 64 MiB come in this time over a line of 5 Mbit/s.
const READ_TIMEOUT: Millis = Millis(120_000);

/// Takes a component in as the plugin `name`, by the same steps as a file in the folder. Answers when it serves, or why
/// it does not.
pub(in crate::operator) async fn push(
    State(operator): Api,
    uri: Uri,
    headers: HeaderMap,
    mut body: Body,
) -> Result<Json<PluginView>, Problem> {
    let asked = match asked(&uri, &headers) {
        Ok(asked) => asked,
        Err(problem) => {
            // A sender that still writes would not see the answer.
            body::discard(&mut body).await;
            return Err(problem);
        }
    };
    Ok(Json(audited("push", &asked.name, take(&operator, &asked, body).await)?))
}

struct Asked {
    name: PluginName,
    signature: Option<String>,
}

fn asked(uri: &Uri, headers: &HeaderMap) -> Result<Asked, Problem> {
    access::may_upload()?;
    let query = Query::read(uri, &["name"])?;
    let name = query.parsed("name")?.ok_or_else(|| {
        Problem::bad_parameter().because("name: say which plugin it is, as in POST /api/v1/plugins?name=welcome")
    })?;
    Ok(Asked { name, signature: signature(headers)? })
}

fn signature(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let wrong = || Problem::bad_parameter().because("Hookbox-Signature: must be the text of a .minisig file in base64");
    let Some(value) = headers.get(SIGNATURE) else { return Ok(None) };
    let text = STANDARD.decode(value).ok().filter(|text| text.len() as u64 <= SIGNATURE_BYTES_MAX);
    text.and_then(|text| String::from_utf8(text).ok()).map(Some).ok_or_else(wrong)
}

async fn take(operator: &Operator, asked: &Asked, body: Body) -> Result<PluginView, Problem> {
    let Asked { name, signature } = asked;
    let busy = || Problem::for_now().because("another upload is under way: try again");
    let _turn = operator.uploads.begin().ok_or_else(busy)?;
    let bytes_max = usize::try_from(COMPONENT_BYTES_MAX).unwrap_or(usize::MAX);
    let bytes = bytes_of(body, bytes_max, READ_TIMEOUT).await?;
    let catalogue = operator.store.catalogue();
    if catalogue.commands().get(name).is_some_and(|last| last.answer.is_none()) {
        return Err(super::under_way(name));
    }
    let waits = |last: &&PluginCommand| last.answer.is_none() && matches!(last.wish, Wish::Take { .. });
    if catalogue.commands().values().filter(waits).count() >= WAITING_MAX {
        return Err(Problem::for_now().because(format!("{WAITING_MAX} uploads wait for the host: try again later")));
    }
    let held = operator.uploads.hold().await;
    let (uploads, of) = (Arc::clone(&operator.uploads), name.clone());
    let staged =
        tokio::task::spawn_blocking(move || uploads.stage(&of, &bytes)).await.map_err(|_| Problem::for_now())?;
    let digest = staged.map_err(|error| {
        let cure = "free some room, or let the host write there";
        Problem::for_now().because(format!("the plugins folder takes no file: {error}; {cure}"))
    })?;
    let wish = Wish::Take { digest, signature: signature.clone() };
    let commanded = super::command(operator, name, wish).await;
    if commanded.is_err() {
        operator.uploads.forget(name, digest);
    }
    drop(held);
    super::answer(operator, name, &commanded?).await
}
