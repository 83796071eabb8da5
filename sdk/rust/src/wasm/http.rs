//! Requests by way of `wasi:http`.

use std::time::Duration;

use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, IncomingBody, IncomingResponse, Method, OutgoingBody, OutgoingRequest, RequestOptions, Scheme,
    http_error_code,
};
use wasip2::io::streams::StreamError;

use crate::http::{Error, Request, Response};

/// The most that one blocking write takes.
const PART_BYTES: usize = 4096;
const READ_BYTES: u64 = 64 << 10;

pub(crate) fn send(request: Request) -> Result<Response, Error> {
    let out = outgoing(&request)?;
    let body = out.body().map_err(|()| invalid("it has no body"))?;
    let begun = outgoing_handler::handle(out, options(request.timeout)).map_err(told)?;
    // Where the request was refused, nobody reads its body: the answer says why.
    let _ = write(body, &request.body);
    begun.subscribe().block();
    let response = begun.get().and_then(Result::ok).ok_or_else(|| Error::Failed("it was given up".to_owned()))?;
    read(response.map_err(told)?)
}

fn outgoing(request: &Request) -> Result<OutgoingRequest, Error> {
    let no_url = || invalid(&format!("{:?} is no URL such as https://example.com/path", request.url));
    let (scheme, rest) = request.url.split_once("://").ok_or_else(no_url)?;
    let scheme = match scheme.to_ascii_lowercase().as_str() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        _ => return Err(no_url()),
    };
    let rest = rest.split('#').next().unwrap_or_default();
    let (authority, path) = rest.find(['/', '?']).map_or((rest, ""), |at| rest.split_at(at));
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let out = OutgoingRequest::new(headers(request)?);
    out.set_method(&method(&request.method)).map_err(|()| invalid("its method is none"))?;
    out.set_scheme(Some(&scheme)).map_err(|()| no_url())?;
    out.set_authority(Some(authority)).map_err(|()| no_url())?;
    out.set_path_with_query(Some(&path)).map_err(|()| no_url())?;
    Ok(out)
}

fn headers(request: &Request) -> Result<Fields, Error> {
    let headers = Fields::new();
    let append = |name: &str, value: &str| {
        let appended = headers.append(name, value.as_bytes());
        appended.map_err(|error| invalid(&format!("header {name:?}: {error:?}")))
    };
    for (name, value) in &request.headers {
        append(name, value)?;
    }
    if !request.body.is_empty() {
        append("content-length", &request.body.len().to_string())?;
    }
    Ok(headers)
}

fn method(name: &str) -> Method {
    match name {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "POST" => Method::Post,
        "PUT" => Method::Put,
        "DELETE" => Method::Delete,
        "CONNECT" => Method::Connect,
        "OPTIONS" => Method::Options,
        "TRACE" => Method::Trace,
        "PATCH" => Method::Patch,
        other => Method::Other(other.to_owned()),
    }
}

fn options(timeout: Option<Duration>) -> Option<RequestOptions> {
    let nanos = u64::try_from(timeout?.as_nanos()).unwrap_or(u64::MAX);
    let options = RequestOptions::new();
    // A host that knows no timeouts keeps its own.
    let _ = options.set_first_byte_timeout(Some(nanos));
    let _ = options.set_between_bytes_timeout(Some(nanos));
    Some(options)
}

fn write(body: OutgoingBody, bytes: &[u8]) -> Option<()> {
    let stream = body.write().ok()?;
    for part in bytes.chunks(PART_BYTES) {
        stream.blocking_write_and_flush(part).ok()?;
    }
    drop(stream);
    OutgoingBody::finish(body, None).ok()
}

fn read(response: IncomingResponse) -> Result<Response, Error> {
    let status = response.status();
    let headers = response.headers().entries();
    let body = response.consume().map_err(|()| Error::Failed("it has no body".to_owned()))?;
    let stream = body.stream().map_err(|()| Error::Failed("its body was read".to_owned()))?;
    let mut bytes = Vec::new();
    loop {
        match stream.blocking_read(READ_BYTES) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                let broken = || Error::Failed("the answer broke off".to_owned());
                return Err(http_error_code(&error).map_or_else(broken, told));
            }
        }
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    let headers = headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value));
    Ok(Response { status, headers: headers.collect(), body: bytes })
}

fn told(error: ErrorCode) -> Error {
    match error {
        ErrorCode::HttpRequestDenied => Error::Denied("hooks.yaml does not grant it".to_owned()),
        ErrorCode::DestinationIpProhibited => Error::Denied("the address of its host is not granted".to_owned()),
        ErrorCode::ConnectionLimitReached => Error::Denied("there are too many at one time".to_owned()),
        ErrorCode::HttpRequestUriInvalid | ErrorCode::HttpRequestMethodInvalid => invalid(&format!("{error:?}")),
        ErrorCode::HttpResponseTimeout | ErrorCode::ConnectionTimeout | ErrorCode::ConnectionReadTimeout => {
            Error::TimedOut
        }
        ErrorCode::HttpResponseBodySize(_) => Error::TooLarge,
        other => Error::Failed(format!("{other:?}")),
    }
}

fn invalid(what: &str) -> Error {
    Error::Invalid(what.to_owned())
}
