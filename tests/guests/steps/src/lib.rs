//! One handler for each way a run can go; the end-to-end tests choose by the event's type.

use std::hint::black_box;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hookbox_sdk::{Context, Error, Event, Job, Json, Result, Value, http, job, json, kv, on, queue};
use serde::Deserialize;

#[derive(Deserialize)]
struct Slow {
    /// Milliseconds since 1970.
    until: u64,
}

#[on("shop/flaky", backoff = "20ms")]
fn flaky(context: &Context) -> Result<Json<Value>> {
    if context.attempt < 3 {
        return Err(Error::retry(format_args!("attempt {} fails", context.attempt)));
    }
    Ok(Json(json!({ "attempt": context.attempt })))
}

/// Takes large orders only.
#[on("shop/order.paid", filter = "data.amount > 1000")]
fn large(event: &Event) -> Result<Json<Value>> {
    Ok(Json(json!({ "delivery": event.delivery_id() })))
}

/// Fails with its log told, unless the order has a total; one that has takes a moment.
#[on("shop/checkout", attempts = 1)]
fn checkout(Json(order): Json<Value>) -> Result<Json<Value>> {
    let (customer, total) = (&order["data"]["customer"], &order["data"]["total"]);
    hookbox_sdk::info!("an order of {customer}");
    let Some(pence) = total.as_u64() else {
        hookbox_sdk::warn!("its total is {total}");
        return Err(Error::permanent(format_args!("the order of {customer} has no total")));
    };
    std::thread::sleep(Duration::from_secs(4));
    Ok(Json(json!({ "paid": pence })))
}

#[on("shop/broken")]
fn broken() -> Result {
    Err(Error::permanent("nothing can be done"))
}

#[on("shop/doomed", attempts = 2, backoff = "10ms")]
fn doomed() -> Result {
    Err(Error::retry("not today"))
}

/// Ends at a time of the sender's choice.
#[expect(clippy::disallowed_methods, reason = "a guest reads the clock that its sandbox gives it")]
#[on("shop/slow", timeout = "5m")]
fn slow(Json(slow): Json<Slow>, context: &Context) -> Result<Json<Value>> {
    let until = UNIX_EPOCH + Duration::from_millis(slow.until);
    hookbox_sdk::info!("waits until {}", slow.until);
    if let Ok(left) = until.duration_since(SystemTime::now()) {
        std::thread::sleep(left);
    }
    Ok(Json(json!({ "attempt": context.attempt })))
}

#[derive(Deserialize)]
struct Parcel {
    customer: String,
    number: u64,
    /// Attempts that fail.
    fails: u32,
}

/// Writes down each customer's parcels as they go out: in the order in which they came.
#[on(
    "shop/parcel",
    order_per = "customer",
    attempts = 100,
    backoff = "1ms",
    backoff_curve = "constant",
    concurrency = 8
)]
fn parcel(Json(parcel): Json<Parcel>, context: &Context) -> Result<Json<Vec<u64>>> {
    let key = format!("parcels-{}", parcel.customer);
    let mut sent: Vec<u64> = kv::get_json(&key)?.unwrap_or_default();
    sent.push(parcel.number);
    kv::set_json(&key, &sent)?;
    if context.attempt <= parcel.fails {
        return Err(Error::retry("no carrier"));
    }
    Ok(Json(sent))
}

#[derive(Deserialize)]
struct Keep {
    key: String,
    /// Deleted.
    before: Option<String>,
    #[serde(default)]
    padding: String,
}

/// Keeps something under a key in place of something under another, and something for a moment.
#[on("shop/keep")]
fn keep(Json(keep): Json<Keep>) -> Result {
    kv::set(&keep.key, &keep.padding)?;
    kv::set_with_ttl(&format!("brief-{}", keep.key), &keep.padding, Duration::from_millis(100))?;
    if let Some(before) = keep.before {
        kv::delete(&before)?;
    }
    Ok(())
}

/// Adds without asking: the sum is told by `shop/total`.
#[on("shop/count")]
fn count(event: &Event) -> Result<Json<Value>> {
    kv::add("counted", 1)?;
    Ok(Json(json!({ "delivery": event.delivery_id() })))
}

#[on("shop/total")]
fn total() -> Result<Json<i64>> {
    Ok(Json(kv::number("counted")?))
}

/// Counts, and fails unless it is replayed often enough: what a failed attempt wrote must not stay.
#[on("shop/half", attempts = 1)]
fn half() -> Result {
    kv::add("counted", 1)?;
    queue::event("never").emit()?;
    Err(Error::retry("after it wrote"))
}

#[on("shop/chain")]
fn chain() -> Result {
    queue::event("chained").json(&json!({ "from": "chain" }))?.subject("link").emit()?;
    queue::job("link").json(&json!({ "from": "chain" }))?.enqueue()?;
    Ok(())
}

#[on("steps/chained")]
fn chained(event: &Event) -> Json<Value> {
    Json(json!({ "source": event.source, "subject": event.subject }))
}

#[job]
fn link(Json(payload): Json<Value>) -> Json<Value> {
    Json(payload)
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Work {
    /// How long it takes.
    ms: u64,
    fails: bool,
}

/// What schedules are made for.
#[job(attempts = 1, timeout = "5m")]
fn work(job: &Job, Json(work): Json<Work>) -> Result<Json<Value>> {
    std::thread::sleep(Duration::from_millis(work.ms));
    if work.fails {
        return Err(Error::permanent("as it was told"));
    }
    let slot = job.scheduled_at.duration_since(UNIX_EPOCH)?;
    Ok(Json(json!({ "slot_ms": slot.as_millis() as u64, "ms": work.ms })))
}

/// Emits what it listens to.
#[on("shop/loop", "steps/again")]
fn again() -> Result {
    queue::event("again").emit()?;
    Ok(())
}

#[on("shop/panic", attempts = 1)]
fn panics() {
    panic!("as it was told");
}

#[on("shop/spin", attempts = 1, timeout = "1s")]
fn spin() {
    let mut n = 0_u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

#[on("shop/grow", attempts = 1)]
fn grow() {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// 100 MB.
#[on("shop/shout", timeout = "2m")]
fn shout() {
    let line = "x".repeat(99_999);
    for _ in 0..500 {
        println!("{line}");
        eprintln!("{line}");
    }
}

/// Tests write other letters in the place of the last sixteen: that makes another version, which tells them.
static MARK: [u8; 32] = *b"hookbox-version:0000000000000000";

/// Tells which version it is. One that is marked as bad fails instead.
#[on("shop/version", attempts = 1)]
fn version() -> Result<Json<String>> {
    let mark = String::from_utf8_lossy(&black_box(&MARK)[16..]).into_owned();
    if mark.starts_with("bad") {
        return Err(Error::permanent(mark));
    }
    Ok(Json(mark))
}

/// What a scheme says of a delivery.
#[on("standard-webhooks/*", "acme/*", "dropbox/*")]
fn letter(event: &Event) -> Json<Value> {
    Json(json!({
        "provider": event.provider(),
        "type": event.type_,
        "delivery": event.delivery_id(),
        "bytes": event.data.len(),
    }))
}

#[derive(Deserialize)]
struct Ask {
    method: String,
    url: String,
    /// Name and value.
    headers: Vec<(String, String)>,
    body: Option<Value>,
}

/// Sends a request, and tells what was answered.
#[on("shop/ask", attempts = 2, backoff = "10ms")]
fn ask(Json(ask): Json<Ask>, context: &Context) -> Result<Json<Value>> {
    let mut request = http::request(ask.method, ask.url);
    for (name, value) in ask.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &ask.body {
        request = request.json(body)?;
    }
    let answer = request.send()?.ok()?;
    if answer.header("x-again").is_some() && context.attempt == 1 {
        return Err(Error::retry("as the server said"));
    }
    Ok(Json(json!({ "status": answer.status, "text": answer.text() })))
}
