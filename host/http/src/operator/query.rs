//! Parameters of a request, as typed and as meant.

use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{self, FromRequestParts, Path};
use axum::http::Uri;
use axum::http::request::Parts;
use hookbox_store::types::PageRequest;

use crate::problem::Problem;

/// Rows of a page, unless the query says otherwise.
pub(super) const LIMIT: usize = 50;
pub(super) const LIMIT_MAX: usize = 200;

#[derive(Debug)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// `known` are the names that mean something here: a typing error in a filter would else show everything.
    pub(super) fn read(uri: &Uri, known: &[&str]) -> Result<Query, Problem> {
        let pairs = extract::Query::<Vec<(String, String)>>::try_from_uri(uri);
        let extract::Query(pairs) =
            pairs.map_err(|_| Problem::bad_parameter().because("write the query as name=value, joined by &"))?;
        if let Some((unknown, _)) = pairs.iter().find(|(name, _)| !known.contains(&name.as_str())) {
            let known = listed(known);
            let unknown: String = unknown.chars().take(40).collect();
            return Err(Problem::unknown_parameter().because(format!("{unknown:?} is not known; known: {known}")));
        }
        Ok(Query(pairs))
    }

    /// What a page was asked for, whatever its names are.
    pub(super) fn of(pairs: Vec<(String, String)>) -> Query {
        Query(pairs)
    }

    /// Each time that it is given.
    pub(super) fn texts(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str()).collect()
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Problem> {
        match self.texts(name)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(Problem::bad_parameter().because(format!("{name}: must be given once"))),
        }
    }

    pub(super) fn parsed<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let parsed = self.text(name)?.map(str::parse).transpose();
        parsed.map_err(|error| Problem::bad_parameter().because(format!("{name}: {error}")))
    }

    /// From `cursor`, which is where the page before ended, and `limit`.
    pub(super) fn page<Id: FromStr<Err: Display>>(&self) -> Result<PageRequest<Id>, Problem> {
        let limit = match self.text("limit")? {
            None => LIMIT,
            Some(text) => text.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit)).ok_or_else(|| {
                Problem::bad_parameter().because(format!("limit: must be a number from 1 to {LIMIT_MAX}"))
            })?,
        };
        let before = self.text("cursor")?.map(str::parse).transpose();
        let before = before.map_err(|_: Id::Err| {
            Problem::bad_parameter().because("cursor: must be the value of next in the page before, or left out")
        })?;
        Ok(PageRequest { before, limit })
    }
}

/// Names of parameters, for somebody who has written another.
pub(super) fn listed(known: &[&str]) -> String {
    let plain: Vec<&str> = known.iter().copied().filter(|name| !name.starts_with("not_")).collect();
    match (known.len(), plain.len()) {
        (0, _) => "none".to_owned(),
        (all, plain_ones) if all > plain_ones => format!("{}, and most of them after not_", plain.join(", ")),
        _ => plain.join(", "),
    }
}

/// The name or id in a path. One that names nothing is of a thing that does not exist.
pub(super) struct Named<T>(pub(super) T);

impl<S: Send + Sync, T: FromStr<Err: Display>> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(head: &mut Parts, state: &S) -> Result<Self, Problem> {
        let unreadable = |_| Problem::not_found().because("the name in the path is no text");
        let Path(text) = Path::<String>::from_request_parts(head, state).await.map_err(unreadable)?;
        let parsed =
            text.parse().map_err(|error: T::Err| Problem::not_found().because(format!("in the path: {error}")));
        parsed.map(Named)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::response::IntoResponse;
    use hookbox_core::id::RunId;

    fn page(query: &str) -> Result<PageRequest<RunId>, u16> {
        let uri: Uri = format!("/api/v1/runs?{query}").parse().unwrap();
        let status = |problem: Problem| problem.into_response().status().as_u16();
        Query::read(&uri, &["cursor", "limit"]).and_then(|query| query.page()).map_err(status)
    }

    #[test]
    fn a_page_is_bounded() {
        assert_eq!(page("").unwrap(), PageRequest { before: None, limit: LIMIT });
        assert_eq!(page("limit=200").unwrap().limit, 200);
        for bad in ["limit=0", "limit=201", "limit=-1", "limit=x", "limit=", "limit=1&limit=2", "cursor=evt_1"] {
            assert_eq!(page(bad), Err(422), "{bad}");
        }
        assert_eq!(page("limits=1"), Err(400));
    }
}
