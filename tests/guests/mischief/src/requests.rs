//! Sends the request that it is told to: a method and a URL, headers on lines of their own, and after an empty line the
//! body. A line such as `!first-byte 50` is an option, in milliseconds. Several are divided by `---`, and sent at the same time after a first line `together`.

use wasip2::clocks::monotonic_clock;
use wasip2::http::outgoing_handler;
use wasip2::http::types::{
    ErrorCode, Fields, FutureIncomingResponse, IncomingBody, Method, OutgoingBody, OutgoingRequest, RequestOptions,
    Scheme,
};
use wasip2::io::streams::StreamError;

pub(crate) fn run(told: &str) -> String {
    if let Some(told) = told.strip_prefix("half ") {
        return half(told);
    }
    if let Some(told) = told.strip_prefix("unread\n") {
        return unread(told);
    }
    let (together, told) = match told.strip_prefix("together\n") {
        Some(told) => (true, told),
        None => (false, told),
    };
    let each = told.split("\n---\n");
    let answers: Vec<String> = match together {
        true => each.map(begin).collect::<Vec<_>>().into_iter().map(answer).collect(),
        false => each.map(|told| answer(begin(told))).collect(),
    };
    answers.join("\n---\n")
}

/// Reads of each answer only its status, and drops it when the next request is on its way.
fn unread(told: &str) -> String {
    let mut statuses = Vec::new();
    let mut last = None;
    for told in told.split("\n---\n") {
        let begun = begin(told);
        drop(last.take());
        let answered = begun.and_then(|begun| {
            begun.subscribe().block();
            begun.get().ok_or("not ready")?.map_err(|()| "taken")?.map_err(|error| format!("{error:?}"))
        });
        match answered {
            Ok(response) => {
                statuses.push(response.status().to_string());
                // What there is of the body comes with the head, or soon after.
                monotonic_clock::subscribe_duration(20_000_000).block();
                last = Some(response);
            }
            Err(error) => statuses.push(error),
        }
    }
    statuses.join(" ")
}

/// Begins a body of unknown length, and waits for ever.
fn half(told: &str) -> String {
    let (method, url) = told.split_once(' ').unwrap();
    let (authority, path) = url.trim_start_matches("http://").split_once('/').unwrap();
    let request = OutgoingRequest::new(Fields::new());
    request.set_method(&Method::Other(method.to_owned())).unwrap();
    request.set_scheme(Some(&Scheme::Http)).unwrap();
    request.set_authority(Some(authority)).unwrap();
    request.set_path_with_query(Some(&format!("/{path}"))).unwrap();
    let out = request.body().unwrap();
    let begun = outgoing_handler::handle(request, None).unwrap();
    let stream = out.write().unwrap();
    stream.blocking_write_and_flush(b"half").unwrap();
    begun.subscribe().block();
    "it was answered".to_owned()
}

pub(crate) fn begin(told: &str) -> Result<FutureIncomingResponse, String> {
    let (head, body) = told.split_once("\n\n").unwrap_or((told, ""));
    let mut lines = head.lines();
    let (method, url) = lines.next().and_then(|line| line.split_once(' ')).ok_or("no method and URL")?;
    let (scheme, rest) = url.split_once("://").ok_or("no scheme")?;
    let (authority, path) = rest.find(['/', '?']).map_or((rest, "/"), |at| rest.split_at(at));
    let headers = Fields::new();
    let options = RequestOptions::new();
    for line in lines {
        if let Some(option) = line.strip_prefix('!') {
            set(&options, option).ok_or_else(|| format!("bad option {option}"))?;
            continue;
        }
        let (name, value) = line.split_once(": ").ok_or("no header")?;
        headers.append(name, &value.replace("\\r\\n", "\r\n").into_bytes()).map_err(|error| format!("{error:?}"))?;
    }
    if !body.is_empty() {
        let length = body.len().to_string().into_bytes();
        headers.append("content-length", &length).map_err(|error| format!("{error:?}"))?;
    }
    let request = OutgoingRequest::new(headers);
    let method = match method {
        "GET" => Method::Get,
        "POST" => Method::Post,
        "CONNECT" => Method::Connect,
        "TRACE" => Method::Trace,
        other => Method::Other(other.to_owned()),
    };
    let scheme = match scheme {
        "http" => Scheme::Http,
        "https" => Scheme::Https,
        other => Scheme::Other(other.to_owned()),
    };
    request.set_method(&method).map_err(|()| "bad method")?;
    request.set_scheme(Some(&scheme)).map_err(|()| "bad scheme")?;
    request.set_authority(Some(authority)).map_err(|()| "bad authority")?;
    request.set_path_with_query(Some(path)).map_err(|()| "bad path")?;
    let out = request.body().map_err(|()| "no body")?;
    let begun = outgoing_handler::handle(request, Some(options)).map_err(|error| format!("{error:?}"))?;
    if !body.is_empty() {
        let stream = out.write().map_err(|()| "no stream")?;
        for part in body.as_bytes().chunks(4096) {
            if stream.blocking_write_and_flush(part).is_err() {
                break;
            }
        }
    }
    // Where the request was refused, nobody reads its body.
    let _ = OutgoingBody::finish(out, None);
    Ok(begun)
}

fn set(options: &RequestOptions, option: &str) -> Option<()> {
    let (name, ms) = option.split_once(' ')?;
    let within = Some(ms.parse::<u64>().ok()? * 1_000_000);
    match name {
        "connect" => options.set_connect_timeout(within).ok(),
        "first-byte" => options.set_first_byte_timeout(within).ok(),
        "between" => options.set_between_bytes_timeout(within).ok(),
        _ => None,
    }
}

fn answer(begun: Result<FutureIncomingResponse, String>) -> String {
    begun.and_then(|begun| read(&begun)).unwrap_or_else(|error| format!("error: {error}"))
}

fn read(begun: &FutureIncomingResponse) -> Result<String, String> {
    let told = |error: ErrorCode| format!("{error:?}");
    begun.subscribe().block();
    let response = begun.get().ok_or("not ready")?.map_err(|()| "taken")?.map_err(told)?;
    let status = response.status();
    let location: Vec<String> =
        response.headers().get("location").iter().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
    let body = response.consume().map_err(|()| "no body")?;
    let stream = body.stream().map_err(|()| "no stream")?;
    let (mut bytes, mut end) = (Vec::new(), String::new());
    loop {
        match stream.blocking_read(64 << 10) {
            Ok(part) => bytes.extend(part),
            Err(StreamError::Closed) => break,
            Err(StreamError::LastOperationFailed(error)) => {
                let code = wasip2::http::types::http_error_code(&error);
                end = format!(" broken off: {code:?}");
                break;
            }
        }
    }
    drop(stream);
    drop(IncomingBody::finish(body));
    let text = if bytes.len() > 4096 {
        format!("{} bytes", bytes.len())
    } else {
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Ok(format!("{status} {}{text}{end}", location.iter().map(|to| format!("to {to} ")).collect::<String>()))
}
