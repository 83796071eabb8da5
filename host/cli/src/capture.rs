//! `hookbox capture`: takes real deliveries and writes each to a file, byte for byte.
//!
//! A running host keeps no signature, so what is to be verified again is caught here, before it is one. Nothing is
//! verified: whoever reaches the listener writes files, of a bounded size and a bounded number.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, bail};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use hookbox_core::clock::Clock;
use hookbox_core::config::BODY_BYTES_MAX;
use hookbox_core::time::Millis;
use hookbox_http::serve::{self, ServerLimits};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::CaptureArgs;
use crate::client;
use crate::clock::SystemClock;
use crate::delivery::Recorded;
use crate::inspect::Print;
use crate::project::Mistakes;

/// One operator, one sender and some to spare.
const CONNECTIONS_MAX: usize = 64;
/// A body comes within this.
const BODY_READ_TIMEOUT: Millis = Millis(30_000);
/// An answer that is given back.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// Characters of a path that become part of a file's name.
const NAME_CHARS_MAX: usize = 40;
/// Files of one folder: their numbers have four digits.
const FILES_MAX: u32 = 9999;

struct Capture {
    folder: PathBuf,
    /// Without a slash at its end.
    forward: Option<String>,
    count: u32,
    clock: SystemClock,
    print: Print,
    written: Mutex<Written>,
    /// Says that there are as many as were asked for.
    done: watch::Sender<bool>,
}

struct Written {
    files: u32,
    /// The last number that was taken, or found taken.
    number: u32,
}

/// Returns once as many deliveries are written as were asked for, or on an interrupt.
pub(crate) async fn capture(args: &CaptureArgs, print: Print) -> Result<()> {
    let forward = args.forward.as_deref().map(origin).transpose()?;
    let folder = &args.out;
    let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.with_context(|| format!("cannot make the folder {}", folder.display()))?;
    let listener = TcpListener::bind(args.listen).await;
    let listener = listener.with_context(|| format!("cannot listen on {}", args.listen))?;
    let at = listener.local_addr()?;
    if print == Print::Tables {
        say!("hookbox captures what is posted to http://{at}, into {}", folder.display());
    }
    eprintln!("The files hold signatures and tokens as they came: keep them as you keep secrets.");
    let (done, mut all_written) = watch::channel(false);
    let capture = Arc::new(Capture {
        folder: folder.clone(),
        forward,
        count: args.count,
        clock: SystemClock::new(),
        print,
        written: Mutex::new(Written { files: 0, number: last_number(folder)? }),
        done,
    });
    let router = Router::new().fallback(receive).with_state(capture);
    let limits = ServerLimits { connections_max: CONNECTIONS_MAX, ..ServerLimits::default() };
    let stop = async move {
        tokio::select! {
            _ = all_written.wait_for(|done| *done) => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    serve::serve(listener, router, None, limits, stop).await;
    Ok(())
}

/// `http://HOST:PORT`, as the client of this binary speaks it.
fn origin(url: &str) -> Result<String> {
    let rest = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    match rest {
        Some(rest) if !rest.is_empty() && !rest.contains('/') => Ok(format!("http://{rest}")),
        _ => Err(Mistakes(vec![format!("--forward must be http://HOST:PORT, got {url}")]).into()),
    }
}

async fn receive(State(capture): State<Arc<Capture>>, request: Request) -> Response {
    let asks = request.method() == Method::GET && request.uri().query().is_some();
    if !asks && ![Method::POST, Method::PUT, Method::PATCH].contains(request.method()) {
        return (StatusCode::METHOD_NOT_ALLOWED, "post a delivery, or ask with a query\n").into_response();
    }
    let (head, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(status) => return status.into_response(),
    };
    let recorded = Recorded {
        method: head.method.to_string(),
        path: head.uri.path().to_owned(),
        query: head.uri.query().map(str::to_owned),
        headers: head.headers.iter().map(|(name, value)| (name.to_string(), value.as_bytes().to_vec())).collect(),
        body,
        received_at: capture.clock.now(),
    };
    match capture.write(&recorded) {
        Ok(true) => {}
        Ok(false) => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Err(error) => {
            eprintln!("a delivery was not written: {error}");
            return StatusCode::SERVICE_UNAVAILABLE.into_response();
        }
    }
    let Some(origin) = capture.forward.clone() else {
        return StatusCode::OK.into_response();
    };
    let answered = tokio::task::spawn_blocking(move || forward(&origin, &recorded)).await;
    answered.ok().and_then(Result::ok).unwrap_or_else(|| StatusCode::BAD_GATEWAY.into_response())
}

async fn read(body: Body) -> Result<Vec<u8>, StatusCode> {
    let bytes_max = usize::try_from(BODY_BYTES_MAX).unwrap_or(usize::MAX);
    match tokio::time::timeout(BODY_READ_TIMEOUT.as_duration(), to_bytes(body, bytes_max)).await {
        Ok(Ok(body)) => Ok(body.into()),
        Ok(Err(_)) => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

impl Capture {
    /// False where there are as many as were asked for.
    fn write(&self, recorded: &Recorded) -> Result<bool> {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.files >= self.count {
            return Ok(false);
        }
        let file = self.create(recorded, &mut written)?;
        written.files += 1;
        let bytes = recorded.body.len();
        match self.print {
            Print::Tables => say!("{}  {} {bytes} bytes", file.display(), recorded.method),
            Print::Json => say!("{}", json!({ "file": file, "method": recorded.method, "body_bytes": bytes })),
        }
        if written.files == self.count {
            self.done.send_replace(true);
        }
        Ok(true)
    }

    /// Under the next number; a file that is there already is never written over.
    fn create(&self, recorded: &Recorded, written: &mut Written) -> Result<PathBuf> {
        while written.number < FILES_MAX {
            written.number += 1;
            let file = self.folder.join(format!("{:04}-{}.delivery.json", written.number, plain(recorded.provider())));
            match recorded.write_new(&file) {
                Ok(()) => return Ok(file),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error).with_context(|| format!("cannot write {}", file.display())),
            }
        }
        bail!("{} has {FILES_MAX} files: name another folder with --out", self.folder.display())
    }
}

/// The highest number of a file in the folder.
fn last_number(folder: &Path) -> Result<u32> {
    let mut last = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| name.split_once('-')?.0.parse().ok());
        last = last.max(number.unwrap_or(0));
    }
    Ok(last)
}

/// What is harmless in the name of a file, of what a sender wrote.
fn plain(text: &str) -> String {
    let plain: String = text.chars().filter(|c| c.is_ascii_alphanumeric() || "-_".contains(*c)).collect();
    let plain = plain.get(..NAME_CHARS_MAX).unwrap_or(&plain);
    if plain.is_empty() { "delivery".to_owned() } else { plain.to_owned() }
}

/// Posts the delivery on, and gives the answer back: a sender that asks a challenge is answered by the host.
fn forward(origin: &str, recorded: &Recorded) -> Result<Response> {
    let query = recorded.query.as_deref().map(|query| format!("?{query}")).unwrap_or_default();
    let mut request = ureq::http::Request::builder();
    request = request.method(recorded.method.as_str()).uri(format!("{origin}{}{query}", recorded.path));
    for (name, value) in recorded.headers_to_send() {
        request = request.header(name, value);
    }
    let mut answer = client::agent()?.run(request.body(recorded.body.clone())?)?;
    let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
    let content_type = answer.headers().get(CONTENT_TYPE).cloned();
    let mut response = (answer.status(), body).into_response();
    response.headers_mut().insert(CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("text/plain")));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_becomes_a_harmless_name() {
        for (path, name) in [
            ("stripe", "stripe"),
            ("..%2f..%2fetc", "2f2fetc"),
            ("", "delivery"),
            ("\u{e9}\u{1b}[2J", "2J"),
            (&"a".repeat(100), &"a".repeat(NAME_CHARS_MAX)),
        ] {
            assert_eq!(plain(path), name);
        }
    }

    #[test]
    fn numbers_go_on_where_the_folder_ends() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(last_number(folder.path()).unwrap(), 0);
        for name in ["0007-stripe.delivery.json", "0003-x.delivery.json", "notes-4", "9-"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        assert_eq!(last_number(folder.path()).unwrap(), 9);
    }

    #[test]
    fn deliveries_are_passed_on_to_an_origin_alone() {
        assert_eq!(origin("http://127.0.0.1:8080/").unwrap(), "http://127.0.0.1:8080");
        for wrong in ["https://hooks.example.com", "http://", "http://127.0.0.1/api", "127.0.0.1:8080"] {
            assert!(origin(wrong).unwrap_err().is::<Mistakes>(), "{wrong}");
        }
    }
}
