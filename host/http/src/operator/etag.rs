//! `ETag` on what can be edited, and `If-Match` on edits: nobody overwrites what they have not seen.
//!
//! A tag stands for what operators change (the declaration of a schedule, its pause), not for what the host counts
//! meanwhile: an edit does not fail because a slot has fired.

use std::borrow::Cow;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use hookbox_core::hold::Held;
use hookbox_core::name::{PluginName, ScheduleName};
use hookbox_store::StoreError;
use hookbox_store::types::Search;
use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::Operator;
use crate::problem::Problem;

/// Edits of one thing take turns; of several, those that share a place do, too.
const PLACES: usize = 64;

#[derive(Debug)]
pub(super) struct Edits([Mutex<()>; PLACES]);

impl Default for Edits {
    fn default() -> Edits {
        Edits(std::array::from_fn(|_| Mutex::default()))
    }
}

/// What can be edited.
#[derive(Debug, PartialEq, Eq)]
enum Thing {
    Schedule(ScheduleName),
    Plugin(PluginName),
    Hold(Held),
    Search(String),
}

impl Thing {
    /// What a request is about, and whether it is that thing itself. A path is read as the routes read it: each part of it may
    /// have its signs escaped.
    fn at(method: &Method, path: &str) -> Option<(Thing, bool)> {
        let (noun, rest) = path.strip_prefix("/api/v1/")?.split_once('/')?;
        if noun == "holds" {
            return unescaped(rest)?.parse().ok().map(|held| (Thing::Hold(held), true));
        }
        let (name, verb) = rest.split_once('/').map_or((rest, None), |(name, verb)| (name, Some(verb)));
        let name = unescaped(name)?;
        let thing = match noun {
            "schedules" => Thing::Schedule(name.parse().ok()?),
            "plugins" => Thing::Plugin(name.parse().ok()?),
            "searches" => Thing::Search(name.into_owned()),
            _ => return None,
        };
        // Nothing is posted to a thing itself but the question of what it would be.
        let changes_nothing = matches!(verb, Some("run" | "backfill")) || (verb.is_none() && method == Method::POST);
        (!changes_nothing).then_some((thing, verb.is_none()))
    }

    /// As it is at this moment; nothing where it is not.
    async fn tag(&self, operator: &Operator) -> Result<Option<String>, StoreError> {
        let shown = match self {
            Thing::Schedule(name) => match operator.store.schedule(name).await {
                Ok(row) => Some(format!("{:?} {:?} {:?}", row.schedule, row.pause, row.shadowed)),
                Err(StoreError::NotFound(_)) => None,
                Err(error) => return Err(error),
            },
            Thing::Plugin(name) => operator.store.catalogue().plugin(name).map(|row| {
                let serves = row.active.as_ref().map(|active| (active.digest, active.since));
                format!("{serves:?} {:?} {:?}", row.missing_since, row.rejected)
            }),
            Thing::Search(name) => {
                let searches = operator.store.searches().await?;
                searches.into_iter().find(|search| search.name == *name).map(|search| search.query)
            }
            Thing::Hold(held) => operator.store.holds().0.get(held).map(|hold| format!("{hold:?}")),
        };
        Ok(shown.map(tag_of))
    }

    fn place(&self) -> usize {
        let hash = Sha256::digest(format!("{self:?}"));
        usize::from(hash[0]) % PLACES
    }
}

fn unescaped(text: &str) -> Option<Cow<'_, str>> {
    percent_decode_str(text).decode_utf8().ok()
}

fn tag_of(shown: String) -> String {
    let hash = Sha256::digest(shown);
    format!("\"{}\"", hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Of a search, for whoever has it before them.
pub(super) fn of_search(search: &Search) -> String {
    tag_of(search.query.clone())
}

/// Of a schedule as it is at this moment, for a page that changes it; nothing where there is none.
pub(super) async fn of_schedule(operator: &Operator, name: &ScheduleName) -> Result<Option<String>, StoreError> {
    Thing::Schedule(name.clone()).tag(operator).await
}

pub(super) async fn conditional(
    State((operator, edits)): State<(Arc<Operator>, Arc<Edits>)>,
    request: Request,
    next: Next,
) -> Response {
    let Some((thing, whole)) = Thing::at(request.method(), request.uri().path()) else {
        return next.run(request).await;
    };
    if request.method().is_safe() {
        let response = next.run(request).await;
        return if whole { tagged(&operator, &thing, response).await } else { response };
    }
    let asked = [IF_MATCH, IF_NONE_MATCH].iter().any(|name| request.headers().contains_key(name));
    // A change of a plugin takes long, and two at one time are refused anyway.
    let waits = asked || !matches!(thing, Thing::Plugin(_));
    let _turn = if waits { Some(edits.0[thing.place()].lock().await) } else { None };
    if asked && let Err(problem) = check(&operator, &thing, request.headers()).await {
        return problem.into_response();
    }
    let removed = request.method() == Method::DELETE;
    let response = next.run(request).await;
    if removed { response } else { tagged(&operator, &thing, response).await }
}

async fn check(operator: &Operator, thing: &Thing, headers: &HeaderMap) -> Result<(), Problem> {
    let tag = thing.tag(operator).await?;
    if headers.contains_key(IF_MATCH) && !names(headers, &IF_MATCH, tag.as_deref()) {
        let problem = Problem::changed_meanwhile();
        return Err(match tag {
            Some(tag) => problem
                .because("it is not what you have seen: GET it again, and send the ETag of that as If-Match")
                .with_header("etag", tag),
            None => problem.because("it is gone, or never was: leave If-Match out to make it"),
        });
    }
    if headers.contains_key(IF_NONE_MATCH) && names(headers, &IF_NONE_MATCH, tag.as_deref()) {
        return Err(Problem::changed_meanwhile().because("it is there already: leave If-None-Match out to change it"));
    }
    Ok(())
}

/// Whether one of the tags is this one; `*` is any.
fn names(headers: &HeaderMap, header: &HeaderName, tag: Option<&str>) -> bool {
    let Some(tag) = tag else { return false };
    let values = headers.get_all(header).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).any(|named| named == "*" || named == tag)
}

async fn tagged(operator: &Operator, thing: &Thing, mut response: Response) -> Response {
    if response.status().is_success()
        && let Ok(Some(tag)) = thing.tag(operator).await
        && let Ok(tag) = HeaderValue::try_from(tag)
    {
        response.headers_mut().insert(ETAG, tag);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_edited_is_told_by_its_path() {
        let schedule = |whole| Some((Thing::Schedule("nightly".parse().unwrap()), whole));
        let hold = |held: &str| Some((Thing::Hold(held.parse().unwrap()), true));
        for (path, thing) in [
            ("/api/v1/schedules/nightly", schedule(true)),
            ("/api/v1/schedules/%6eightly", schedule(true)),
            ("/api/v1/schedules/preview", Some((Thing::Schedule("preview".parse().unwrap()), true))),
            ("/api/v1/schedules/nightly/pause", schedule(false)),
            ("/api/v1/schedules/nightly/run", None),
            ("/api/v1/schedules", None),
            ("/api/v1/holds/*", hold("*")),
            ("/api/v1/holds/%2A", hold("*")),
            ("/api/v1/holds/a/work", hold("a/work")),
            ("/api/v1/holds/a%2Fwork", hold("a/work")),
            ("/api/v1/searches/my%20own", Some((Thing::Search("my own".to_owned()), true))),
            ("/api/v1/searches", None),
            ("/api/v1/plugins/welcome/rollback", Some((Thing::Plugin("welcome".parse().unwrap()), false))),
            ("/api/v1/runs/cancel", None),
            ("/schedules/nightly", None),
        ] {
            assert_eq!(Thing::at(&Method::PUT, path), thing, "{path}");
        }
        assert_eq!(Thing::at(&Method::POST, "/api/v1/schedules/preview"), None);
    }
}
