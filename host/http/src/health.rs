//! How the host is.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use hookbox_core::time::Millis;
use hookbox_store::Store;

use crate::lifecycle::{Lifecycle, Phase};
use crate::providers::Providers;
use crate::view::health::{CountsView, HealthView, Queue};

/// How much of its health a listener tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Detail {
    Full,
    Status,
}

/// The scheduler looks each second, and each round of a long look counts: a minute without one is a loop that hangs or
/// has stopped, on the slowest disk too. A slot counts as undecided after as long.
const PASS_OVERDUE: Millis = Millis::MINUTE;

/// How the host is, in a word, and why it is not well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: &'static str,
    pub(crate) reason: Option<String>,
}

impl Standing {
    /// Whether webhooks are taken.
    pub(crate) fn of(store: &dyn Store, lifecycle: &Lifecycle) -> Standing {
        let reason = store.failure();
        let status = match (&reason, lifecycle.phase()) {
            (Some(_), _) => "degraded",
            (None, Phase::Starting) => "starting",
            (None, Phase::Serving) => "ok",
            (None, Phase::Draining) => "draining",
        };
        Standing { status, reason }
    }

    /// And whether schedules are looked at; `age` is that of the last pass. A host that drains looks no more.
    pub(crate) fn and_scheduler(self, age: Option<Millis>) -> Standing {
        match age.filter(|age| self.status == "ok" && *age > PASS_OVERDUE) {
            None => self,
            Some(age) => Standing { status: "degraded", reason: Some(overdue(age)) },
        }
    }
}

/// What is wrong with a scheduler whose last pass is so long ago.
fn overdue(age: Millis) -> String {
    format!(
        "the scheduler has finished no pass for {} s, and should each second, so no schedule fires: the log says why where \
         it knows; restart hookbox, and missed slots get what `missed` of their schedule says",
        age.0 / 1000
    )
}

/// 200 where the host is well, else 503. `pass` is the age of the scheduler's last one.
pub(crate) fn report(
    store: &dyn Store,
    standing: Standing,
    pass: Option<Millis>,
    providers: &Providers,
    detail: Detail,
) -> Response {
    let Standing { status, reason } = standing;
    let view = match detail {
        Detail::Status => HealthView {
            status,
            reason: None,
            scheduler_pass_ms_ago: None,
            providers: None,
            handlers: None,
            held: None,
            queue: None,
            counts: None,
        },
        Detail::Full => {
            let counts = store.counts();
            HealthView {
                status,
                reason,
                scheduler_pass_ms_ago: pass.map(|age| age.0),
                providers: Some(providers.names().map(ToString::to_string).collect()),
                handlers: Some(store.catalogue().handlers().map(|(target, _)| target.to_string()).collect()),
                held: Some(store.holds().0.keys().map(ToString::to_string).collect()),
                queue: Some(Queue { pending: counts.pending, leased: counts.leased, dead: counts.dead }),
                counts: Some(CountsView::of(&counts)),
            }
        }
    };
    let code = if status == "ok" { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (code, Json(view)).into_response()
}
