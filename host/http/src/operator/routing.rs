//! A router whose routes can be walked: a test holds each one against the table of who may do what.

use std::sync::Arc;

use axum::Router;
use axum::routing::MethodRouter;

use super::Operator;

type Methods = MethodRouter<Arc<Operator>>;

#[derive(Default)]
pub(super) struct Routes(Vec<(String, Methods)>);

impl Routes {
    pub(super) fn new() -> Routes {
        Routes::default()
    }

    pub(super) fn route(mut self, path: &str, methods: Methods) -> Routes {
        self.0.push((path.to_owned(), methods));
        self
    }

    pub(super) fn merge(mut self, others: Routes) -> Routes {
        self.0.extend(others.0);
        self
    }

    pub(super) fn nest(mut self, below: &str, others: Routes) -> Routes {
        self.0.extend(others.0.into_iter().map(|(path, methods)| (format!("{below}{path}"), methods)));
        self
    }

    pub(super) fn router(self) -> Router<Arc<Operator>> {
        self.0.into_iter().fold(Router::new(), |router, (path, methods)| router.route(&path, methods))
    }

    /// Each path with a router of it alone, which lets everybody in.
    pub(super) fn apart(self, operator: &Arc<Operator>) -> Vec<(String, Router)> {
        let alone = |(path, methods): (String, Methods)| {
            let router = Router::new().route(&path, methods).with_state(Arc::clone(operator));
            (path, router)
        };
        self.0.into_iter().map(alone).collect()
    }
}
