use std::collections::BTreeSet;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::name::PluginName;
use hookbox_core::plugin::Digest;
use hookbox_store::PluginRow;
use hookbox_store::catalogue::Wish;
use schemars::JsonSchema;
use serde::Deserialize;

use super::super::query::{Named, Query};
use super::super::{Api, BODY_BYTES_MAX, Operator, asked_in, audited};
use crate::problem::Problem;
use crate::view::plugin::PluginView;

/// Digits of a digest that name a version, at least.
const DIGITS_MIN: usize = 6;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "RollbackRequest")]
pub(in crate::operator) struct Asked {
    /// The first digits of its digest; without it, the version before.
    version: Option<String>,
}

/// The version serves again, and what served does not come back by itself.
pub(in crate::operator) async fn roll_back(
    State(operator): Api,
    Named(name): Named<PluginName>,
    uri: Uri,
    body: Body,
) -> Result<Json<PluginView>, Problem> {
    Query::read(&uri, &[])?;
    let asked: Asked = asked_in(body, BODY_BYTES_MAX).await?;
    Ok(Json(audited("roll back", &name, go(&operator, &name, asked.version.as_deref()).await)?))
}

async fn go(operator: &Operator, name: &PluginName, version: Option<&str>) -> Result<PluginView, Problem> {
    let row = super::row(operator, name)?;
    let Some(active) = row.active.as_ref().filter(|_| row.missing_since.is_none() || row.is_distrusted()) else {
        let told = format!("no version of {name} serves: put its file in plugins/, or push one");
        return Err(Problem::conflict().because(told));
    };
    let digest = match version {
        Some(version) => named(&row, version)?,
        None => row.previous().ok_or_else(|| {
            let told =
                format!("{name} has no earlier version to go back to that was not rolled back from itself: name one");
            Problem::conflict().because(format!("{told}. {}", known(&row)))
        })?,
    };
    if digest == active.digest && row.missing_since.is_none() {
        return Err(Problem::conflict().because(format!("version {} of {name} serves already", digest.short())));
    }
    let command = super::command(operator, name, Wish::Activate { digest }).await?;
    super::answer(operator, name, &command).await
}

/// The one version of the history whose digest begins so.
fn named(row: &PluginRow, version: &str) -> Result<Digest, Problem> {
    let digits = version.strip_prefix("sha256:").unwrap_or(version).to_ascii_lowercase();
    let hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    if !hex || !(DIGITS_MIN..=64).contains(&digits.len()) {
        let told =
            format!("version: must be the first {DIGITS_MIN} digits of a digest, or more, got {}", clipped(version));
        return Err(Problem::bad_parameter().because(told));
    }
    let wanted = format!("sha256:{digits}");
    let mut found = versions(row).into_iter().filter(|digest| digest.to_string().starts_with(&wanted));
    match (found.next(), found.next()) {
        (Some(digest), None) => Ok(digest),
        (Some(_), Some(_)) => {
            Err(Problem::bad_parameter().because(format!("version: several begin with {digits}: add digits")))
        }
        (None, _) => {
            let told = format!("{} has no version {digits} on disk. {}", row.name, known(row));
            Err(Problem::not_found().because(told))
        }
    }
}

fn versions(row: &PluginRow) -> BTreeSet<Digest> {
    row.history.iter().map(|past| past.digest).collect()
}

fn known(row: &PluginRow) -> String {
    let versions: Vec<String> = versions(row).iter().map(Digest::short).collect();
    format!("There are: {}", versions.join(", "))
}

fn clipped(text: &str) -> String {
    format!("{:?}", text.chars().take(40).collect::<String>())
}
