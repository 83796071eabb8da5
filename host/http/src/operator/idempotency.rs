//! `Idempotency-Key` on writes, as the IETF draft has it: the same request with the same key is answered once more and
//! done once.
//!
//! That a request has begun is on disk before it is done, and so is its answer before it is sent. Where the host ends in
//! between, or the handler breaks off, nobody knows what became of it: it is refused from then on, and never done twice.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::{CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use hookbox_store::types::{Begun, KeptAnswer, RequestKey};
use sha2::{Digest, Sha256};

use super::access::{self, Once};
use super::{BODY_READ_TIMEOUT, Operator, bytes_of};
use crate::problem::{Done, Problem};

pub(super) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// On an answer that is given once more.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
const KEY_BYTES_MAX: usize = 255;
/// The largest event that may be edited, in base64.
const BODY_BYTES_MAX: usize = 65 << 20;
/// A longer answer is not kept; that it was given is.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// What an answer says besides its body.
const HEADERS: [HeaderName; 3] = [CONTENT_TYPE, LOCATION, ETAG];

/// What is kept of an answer, in place of all that it says.
#[derive(Debug, Clone)]
pub(super) struct Kept(pub(super) Bytes);

/// Requests that this host works on.
#[derive(Debug, Default)]
pub(super) struct UnderWay(Mutex<HashSet<RequestKey>>);

/// Takes its key out in the end, however that comes.
struct Turn {
    all: Arc<UnderWay>,
    key: RequestKey,
}

impl UnderWay {
    fn begin(self: &Arc<Self>, key: RequestKey) -> Option<Turn> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key);
        new.then(|| Turn { all: Arc::clone(self), key })
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

pub(super) async fn once(
    State((operator, under_way)): State<(Arc<Operator>, Arc<UnderWay>)>,
    request: Request,
    next: Next,
) -> Response {
    let once = access::once(&request);
    if request.method().is_safe() || once == Once::Not || !request.headers().contains_key(KEY) {
        return next.run(request).await;
    }
    answer(&operator, &under_way, once, request, next).await.unwrap_or_else(IntoResponse::into_response)
}

async fn answer(
    operator: &Arc<Operator>,
    under_way: &Arc<UnderWay>,
    once: Once,
    request: Request,
    next: Next,
) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let key = key(&head.headers)?;
    let body = bytes_of(body, BODY_BYTES_MAX, BODY_READ_TIMEOUT).await?;
    let Some(turn) = under_way.begin(key) else {
        return Err(Problem::key_under_way().because("the first request with this key is not answered yet: ask again"));
    };
    let worker = Arc::clone(operator);
    // Whoever asked may go away: it is done all the same, and its answer kept.
    let done = access::apart(async move {
        let answered = first(&worker, key, once, (head, body), next).await;
        drop(turn);
        answered
    });
    match done.await {
        Ok(answered) => answered,
        // Its handler has panicked: nobody knows how far it came.
        Err(_) => Err(Problem::damaged()),
    }
}

async fn first(
    operator: &Operator,
    key: RequestKey,
    once: Once,
    (head, body): (request::Parts, Bytes),
    next: Next,
) -> Result<Response, Problem> {
    match operator.store.begin_request(key, fingerprint(&head, &body), operator.clock.now()).await? {
        Begun::New => {}
        Begun::UnderWay => {
            let cure = "the host broke off while it worked on this request, and what became of it is not known: look at \
                        what it was to change, and use another key where it is still to be done";
            return Err(Problem::key_under_way().because(cure));
        }
        Begun::Other => {
            return Err(Problem::key_reused().because("this key was for another request: use a new one for each"));
        }
        Begun::Answered(answer) => return again(answer),
    }
    keep(operator, key, once, next.run(Request::from_parts(head, Body::from(body))).await).await
}

/// A key is a string of structured fields; without quotes it is taken, too.
fn key(headers: &HeaderMap) -> Result<RequestKey, Problem> {
    let wrong = || {
        Problem::bad_parameter()
            .because("Idempotency-Key: must be given once, with 1 to 255 visible characters, such as a UUID in quotes")
    };
    let mut values = headers.get_all(KEY).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Err(wrong()) };
    let text = value.to_str().map_err(|_| wrong())?.trim();
    let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
    match (1..=KEY_BYTES_MAX).contains(&text.len()) && !text.contains('"') {
        true => Ok(RequestKey(of_caller(text))),
        false => Err(wrong()),
    }
}

/// Nobody gets an answer that was for somebody else.
fn of_caller(key: &str) -> [u8; 32] {
    let who = access::caller().map_or_else(String::new, |caller| format!("{} {}", caller.via().as_str(), caller.who));
    let mut hash = Sha256::new();
    for part in [who.as_bytes(), key.as_bytes()] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn fingerprint(head: &request::Parts, body: &Bytes) -> [u8; 32] {
    let mut hash = Sha256::new();
    let target = head.uri.path_and_query().map_or("", |target| target.as_str());
    let condition = |name| head.headers.get(name).map_or(&b""[..], HeaderValue::as_bytes);
    for part in [head.method.as_str().as_bytes(), target.as_bytes(), condition(IF_MATCH), condition(IF_NONE_MATCH)] {
        hash.update(part.len().to_be_bytes());
        hash.update(part);
    }
    hash.update(body);
    hash.finalize().into()
}

/// What failed on our side, or was not let in, may be asked again with the same key; but not what is done in part, or will be.
async fn keep(operator: &Operator, key: RequestKey, once: Once, response: Response) -> Result<Response, Problem> {
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.map_err(|_| Problem::damaged())?;
    let kept = head.extensions.get::<Kept>().map_or_else(|| body.clone(), |Kept(kept)| kept.clone());
    let passes = (head.status.is_server_error()
        || [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&head.status))
        && head.extensions.get::<Done>().is_none();
    let text = |name: HeaderName| {
        let value = head.headers.get(&name)?.to_str().ok()?.to_owned();
        Some((name.as_str().to_owned(), value))
    };
    let answer = KeptAnswer {
        status: head.status.as_u16(),
        headers: HEADERS.into_iter().filter_map(text).collect(),
        body: (once == Once::Answered && kept.len() <= ANSWER_BYTES_MAX).then(|| kept.to_vec()),
    };
    if let Err(error) = operator.store.end_request(key, (!passes).then_some(answer)).await {
        tracing::warn!(%error, "an answer with an idempotency key is not kept: {error}");
    }
    Ok(Response::from_parts(head, Body::from(body)))
}

fn again(answer: KeptAnswer) -> Result<Response, Problem> {
    let Some(body) = answer.body else {
        let told = format!("it was done, and answered with {}; the answer itself is not kept", answer.status);
        return Err(Problem::conflict().because(told));
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).map_err(|_| Problem::damaged())?;
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}
