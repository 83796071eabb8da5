//! What became of an attempt's requests.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hookbox_core::attempt::{REFUSED_KEPT_MAX, REQUESTS_KEPT_MAX, Request, RequestEnd, Requests};
use hookbox_core::host_call::Calls;
use http::{Method, StatusCode, Uri};
use tokio::time::Instant;

use crate::text;

/// A part of a path that is longer may be a token, as in the URL of many a webhook.
const SEGMENT_SHOWN_MAX: usize = 20;
const URL_SHOWN_BYTES_MAX: usize = 512;

#[derive(Clone, Default)]
pub(crate) struct Records(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    /// Each with its number among all that there were.
    kept: Vec<(u64, Request)>,
    begun: u64,
    dropped: u32,
    /// Of those, too, that are not kept one by one.
    calls: Calls,
    /// The attempt has ended.
    over: bool,
}

impl Book {
    /// What was sent, or may yet be, is kept rather than what was refused.
    fn begin(&mut self, request: Request) -> u64 {
        self.begun += 1;
        if self.kept.len() >= REQUESTS_KEPT_MAX {
            match self.kept.iter().position(|(_, kept)| kept.is_denied()) {
                Some(refused) => drop(self.kept.remove(refused)),
                None => {
                    self.dropped += 1;
                    return self.begun;
                }
            }
            self.dropped += 1;
        }
        self.kept.push((self.begun, request));
        self.begun
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Request)) {
        let Ok(at) = self.kept.binary_search_by_key(&number, |(number, _)| *number) else { return };
        let Some((_, request)) = self.kept.get_mut(at) else { return };
        let was_denied = request.is_denied();
        change(request);
        let newly = !was_denied && request.is_denied();
        if newly && self.kept.iter().filter(|(_, kept)| kept.is_denied()).count() > REFUSED_KEPT_MAX {
            self.kept.remove(at);
            self.dropped += 1;
        }
    }
}

/// Ends the requests of an attempt, whatever way it ends.
pub(crate) struct Over(Records);

impl Drop for Over {
    fn drop(&mut self) {
        self.0.lock().over = true;
    }
}

impl Records {
    pub(super) fn begin(&self, method: &Method, uri: &Uri) -> Recorded {
        let shown = Request {
            method: text::line(method.as_str()),
            url: shown(uri),
            ms: 0,
            sent_bytes: 0,
            received_bytes: 0,
            end: RequestEnd::Unfinished,
        };
        let (began, line) = (Instant::now(), format!("{} {}", shown.method, shown.url));
        let number = self.lock().begin(shown);
        Recorded { records: self.clone(), number, began, shown: line, went_on: Arc::new(Mutex::new(began)) }
    }

    /// As they stand now.
    pub(crate) fn take(&self) -> Requests {
        let mut book = self.lock();
        let kept = std::mem::take(&mut book.kept).into_iter().map(|(_, request)| request).collect();
        Requests { kept, dropped: std::mem::take(&mut book.dropped) }
    }

    /// To be dropped before the guest is.
    pub(crate) fn until_over(&self) -> Over {
        Over(self.clone())
    }

    /// The bytes of their bodies. How many there were, the seam has counted.
    pub(crate) fn calls(&self) -> Calls {
        self.lock().calls
    }

    fn lock(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request.
#[derive(Clone)]
pub(super) struct Recorded {
    records: Records,
    number: u64,
    began: Instant,
    shown: String,
    /// When it got its connection, or handed over the last part of its body.
    went_on: Arc<Mutex<Instant>>,
}

impl Recorded {
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn is_over(&self) -> bool {
        self.records.lock().over
    }

    pub(super) fn went_on(&self) {
        *self.went_on.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    pub(super) fn last_went_on(&self) -> Instant {
        *self.went_on.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn sent(&self, bytes: usize) {
        self.records.lock().calls.bytes_given += bytes as u64;
        self.change(|request| request.sent_bytes += bytes as u64);
    }

    pub(super) fn received(&self, bytes: usize) {
        self.records.lock().calls.bytes_answered += bytes as u64;
        self.change(|request| request.received_bytes += bytes as u64);
    }

    pub(super) fn answered(&self, status: StatusCode) {
        self.change(|request| request.end = RequestEnd::Answered(status.as_u16()));
    }

    pub(super) fn failed(&self, reason: String, denied: bool) {
        let reason = text::message(&reason);
        self.change(|request| {
            request.end = if denied { RequestEnd::Denied(reason) } else { RequestEnd::Failed(reason) };
        });
    }

    fn change(&self, change: impl FnOnce(&mut Request)) {
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.records.lock().change(self.number, |request| {
            change(request);
            request.ms = ms;
        });
    }
}

/// Scheme, host and path: a query may hold secrets, and so may a long part of a path.
fn shown(uri: &Uri) -> String {
    let scheme = uri.scheme_str().unwrap_or("https");
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit('@').next().unwrap_or_default();
    let masked = |segment: &str| if segment.len() > SEGMENT_SHOWN_MAX { "***".to_owned() } else { segment.to_owned() };
    let path: Vec<String> = uri.path().split('/').map(masked).collect();
    let url = text::line(&format!("{scheme}://{host}{}", path.join("/")));
    text::prefix(&url, URL_SHOWN_BYTES_MAX).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begin(records: &Records, path: &str) -> Recorded {
        records.begin(&Method::GET, &format!("http://a.example/{path}").parse().unwrap())
    }

    #[test]
    fn refused_requests_do_not_hide_those_that_are_sent() {
        let records = Records::default();
        let most = REQUESTS_KEPT_MAX - 1;
        let mut sent = Vec::new();
        for n in 0..most {
            begin(&records, "refused").failed("no".to_owned(), true);
            // Refused by its addresses, so later than the next one begins.
            let slow = begin(&records, "slow");
            sent.push(begin(&records, &format!("sent-{n}")));
            slow.failed("no".to_owned(), true);
        }
        for sent in &sent {
            sent.answered(StatusCode::OK);
        }
        let requests = records.take();
        let answered = requests.kept.iter().filter(|request| request.end == RequestEnd::Answered(200));
        let urls: Vec<_> = answered.map(|request| request.url.clone()).collect();
        let wanted: Vec<_> = (0..most).map(|n| format!("http://a.example/sent-{n}")).collect();
        assert_eq!(urls, wanted);
        assert_eq!(requests.kept.len() + requests.dropped as usize, 3 * most);
    }

    #[test]
    fn of_refused_requests_some_are_kept_and_all_are_counted() {
        let records = Records::default();
        for _ in 0..REQUESTS_KEPT_MAX {
            begin(&records, "").failed("no".to_owned(), true);
        }
        let requests = records.take();
        assert_eq!(requests.kept.len(), REFUSED_KEPT_MAX);
        assert_eq!(requests.kept.len() + requests.dropped as usize, REQUESTS_KEPT_MAX);
    }

    #[test]
    fn neither_a_query_nor_a_token_is_shown() {
        let uri = |text: &str| shown(&text.parse().unwrap());
        assert_eq!(uri("https://a.example/v1/items?key=hunter2"), "https://a.example/v1/items");
        let slack = "https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX";
        assert_eq!(uri(slack), "https://hooks.slack.com/services/T00000000/B00000000/***");
        assert_eq!(uri("https://me:hunter2@a.example:8443/"), "https://a.example:8443/");
    }
}
