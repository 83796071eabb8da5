//! A plugin that does everything it should not, one handler for each.
//! Empty but for WebAssembly: the names of the exports are none for a native linker.

#![cfg(target_arch = "wasm32")]

mod outside;
mod overlay;
mod race;
mod requests;
mod surroundings;

use std::hint::black_box;
use std::io::Write;
use std::time::Duration;

use exports::hookbox::plugin::guest::Guest;
use hookbox::plugin::types::{
    Event, Handler, HandlerError, Invocation, Job, Outcome, Output, PluginInfo, RetryableError, Schedule, ScheduleWhen,
    Trigger,
};
use hookbox::plugin::{config, kv, logging, queue};

wit_bindgen::generate!({ path: "../../../wit", world: "plugin" });

type Ended = Result<Outcome, HandlerError>;

struct Mischief;

const JOBS: [&str; 24] = [
    "ok",
    "loops",
    "sleeps",
    "grows",
    "hoards",
    "panics",
    "exits",
    "prints",
    "logs",
    "recurses",
    "huge-output",
    "vast-output",
    "kv-ops",
    "counts",
    "waits",
    "enqueues",
    "emits",
    "forbidden",
    "reads-config",
    "fails",
    "requests",
    "looks",
    "tells",
    "copes",
];

impl Guest for Mischief {
    fn describe() -> PluginInfo {
        let manual = |name: &&str| Handler { name: (*name).into(), trigger: Trigger::Manual, options: vec![] };
        let mut handlers: Vec<Handler> = JOBS.iter().map(manual).collect();
        handlers.push(Handler {
            name: "on-event".into(),
            trigger: Trigger::Events(vec!["shop/*".into()]),
            options: vec![("timeout".into(), "5s".into())],
        });
        let schedule = Schedule { when: ScheduleWhen::Cron("0 9 * * *".into()), options: vec![] };
        handlers.push(Handler { name: "daily".into(), trigger: Trigger::Schedule(schedule), options: vec![] });
        PluginInfo { name: "mischief".into(), version: "1.2.3".into(), description: None, handlers, options: vec![] }
    }

    fn handle_event(invocation: Invocation, event: Event) -> Ended {
        let attributes: Vec<String> = event.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        text(format!(
            "{} {} {} {} {} {}",
            invocation.handler,
            event.source,
            event.type_,
            attributes.join(","),
            String::from_utf8_lossy(&event.data),
            invocation.deadline,
        ))
    }

    fn run_job(invocation: Invocation, job: Job) -> Ended {
        match invocation.handler.as_str() {
            "ok" => text(format!("{:?}", job.attributes)),
            "loops" => loops(),
            "sleeps" => {
                std::thread::sleep(Duration::from_secs(3600));
                done()
            }
            "grows" => grows(),
            "hoards" => hoards(),
            "panics" => panic!("as it was told"),
            "exits" => std::process::exit(7),
            "prints" => prints(),
            "logs" => logs(),
            "recurses" => text(recurses(black_box(depth(&job))).to_string()),
            "huge-output" => output(vec![b'x'; 300 * 1024]),
            "vast-output" => output(vec![b'x'; 8 << 20]),
            "kv-ops" => overlay::run(&job),
            "counts" => counts(),
            "waits" => waits(),
            "enqueues" => enqueues(&job),
            "emits" => emits(&job),
            "forbidden" => text(outside::reach()),
            "reads-config" => text(format!("{:?} {:?}", config::get("channel"), config::get_secret("token"))),
            "fails" => fails(&job),
            "requests" => text(requests::run(&String::from_utf8_lossy(&job.data))),
            "looks" => text(surroundings::look(depth(&job))),
            "copes" => copes(&job),
            "tells" => text(surroundings::tell(&String::from_utf8_lossy(&job.data))),
            other => Err(HandlerError::Permanent(format!("no handler {other}"))),
        }
    }
}

fn done() -> Ended {
    Ok(Outcome::Completed(None))
}

fn text(text: String) -> Ended {
    output(text.into_bytes())
}

fn output(data: Vec<u8>) -> Ended {
    Ok(Outcome::Completed(Some(Output { data_content_type: "text/plain".into(), data })))
}

fn permanent(error: impl std::fmt::Debug) -> HandlerError {
    HandlerError::Permanent(format!("{error:?}"))
}

fn loops() -> Ended {
    let mut n = 0u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

fn grows() -> Ended {
    let mut hoard = Vec::new();
    loop {
        hoard.push(black_box(vec![1u8; 1 << 20]));
    }
}

/// Takes what it gets and is content with it.
fn hoards() -> Ended {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        let mut part = Vec::new();
        if part.try_reserve_exact(1 << 20).is_err() {
            let mebibytes = hoard.len();
            drop(hoard);
            return text(mebibytes.to_string());
        }
        hoard.push(black_box(part));
    }
}

/// Is refused memory, does without, and breaks by something else.
fn copes(job: &Job) -> Ended {
    hoards()?;
    match job.data.as_slice() {
        b"reads" => drop(black_box(std::time::Instant::now())),
        b"sends" => drop(black_box(requests::run("GET http://a.example/"))),
        _ => drop(kv::get("key").map_err(permanent)?),
    }
    panic!("not for want of memory")
}

/// 100 MB.
fn prints() -> Ended {
    let line = "x".repeat(99_999);
    for _ in 0..500 {
        println!("{line}");
        eprintln!("{line}");
    }
    text("printed".into())
}

fn logs() -> Ended {
    println!("first");
    logging::log(logging::Level::Warn, "second\u{1b}[31m", &[("user".into(), "ann\nbob".into())]);
    eprintln!("third");
    print!("fourth");
    std::io::stdout().flush().map_err(permanent)?;
    done()
}

/// How deep it is told to go; without end where nothing is said.
fn depth(job: &Job) -> u64 {
    String::from_utf8_lossy(&job.data).parse().unwrap_or(u64::MAX)
}

/// Nothing that a compiler turns into a loop, and nothing in memory: it is the host's stack that ends.
fn recurses(n: u64) -> u64 {
    if n == 0 { 1 } else { recurses(n - 1).rotate_left(3) ^ n }
}

fn counts() -> Ended {
    kv::add("runs", 1).map_err(permanent)?;
    done()
}

/// Says that it is there, then waits for the host to answer.
fn waits() -> Ended {
    let value = kv::get("gate").map_err(permanent)?;
    text(format!("{value:?}"))
}

fn request(handler: &str) -> queue::JobRequest {
    queue::JobRequest {
        handler: handler.into(),
        data_content_type: "application/json".into(),
        data: b"{}".to_vec(),
        run_at: Some(1_000),
        unique_key: Some("once".into()),
    }
}

fn enqueues(job: &Job) -> Ended {
    let answers: Vec<String> = match job.data.as_slice() {
        b"many" => (0..101).map(|_| format!("{:?}", queue::enqueue(&request("ok")))).collect(),
        b"bad" => {
            let large = queue::JobRequest { data: vec![0; 256 * 1024 + 1], ..request("ok") };
            let control = queue::JobRequest { unique_key: Some("a\nb".into()), ..request("ok") };
            [request("nobody"), request("on-event"), large, control]
                .iter()
                .map(|r| format!("{:?}", queue::enqueue(r)))
                .collect()
        }
        named if named.starts_with(b"for ") => {
            let names = String::from_utf8_lossy(&named[4..]).into_owned();
            names.split(' ').map(|name| format!("{:?}", queue::enqueue(&request(name)))).collect()
        }
        _ => (0..2).map(|_| queue::enqueue(&request("ok")).unwrap()).collect(),
    };
    text(answers.join("\n"))
}

fn emits(job: &Job) -> Ended {
    let types = String::from_utf8_lossy(&job.data).into_owned();
    let answers = types.split(' ').map(|event_type| {
        format!(
            "{:?}",
            queue::emit(&queue::EventRequest {
                type_: event_type.replace("%20", " "),
                subject: Some("order 7".into()),
                data_content_type: String::new(),
                data: b"{}".to_vec(),
            })
        )
    });
    text(answers.collect::<Vec<_>>().join("\n"))
}

fn fails(job: &Job) -> Ended {
    kv::set("key", b"value", None).map_err(permanent)?;
    match job.data.as_slice() {
        b"retryable" => {
            Err(HandlerError::Retryable(RetryableError { message: "later".into(), retry_after: Some(5_000) }))
        }
        b"long" => Err(HandlerError::Permanent("é".repeat(10_000))),
        b"skipped" => Ok(Outcome::Skipped("nothing to do".into())),
        _ => Err(HandlerError::Permanent("never".into())),
    }
}

export!(Mischief);
