//! A plugin that is written for drafts of WASI in place of hookbox's own interfaces.
//! Empty but for WebAssembly: the names of the exports are none for a native linker.

#![cfg(target_arch = "wasm32")]

mod first;
mod second;

use exports::hookbox::plugin::guest::Guest;
use hookbox::plugin::types::{Event, Handler, HandlerError, Invocation, Job, Outcome, Output, PluginInfo, Trigger};
use wasi::config0_2_0_draft::store as config;
use wasi::config0_2_0_rc_1::store as config_rc;
use wasi::keyvalue0_2_0_draft::{atomics, store};
use wasi::logging::logging::{Level, log};

wit_bindgen::generate!({
    path: [
        "../../../wit",
        "../../../host/sandbox/wit-drafts/keyvalue-0.2.0-draft",
        "../../../host/sandbox/wit-drafts/keyvalue-0.2.0-draft2",
        "../../../host/sandbox/wit-drafts/config-0.2.0-draft",
        "../../../host/sandbox/wit-drafts/config-0.2.0-rc.1",
        "../../../host/sandbox/wit-drafts/logging-0.1.0-draft",
    ],
    inline: r#"
        package guest:drafts;

        world drafts {
            include hookbox:plugin/plugin@0.1.0;
            import wasi:keyvalue/store@0.2.0-draft;
            import wasi:keyvalue/atomics@0.2.0-draft;
            import wasi:keyvalue/batch@0.2.0-draft;
            import wasi:keyvalue/store@0.2.0-draft2;
            import wasi:keyvalue/atomics@0.2.0-draft2;
            import wasi:keyvalue/batch@0.2.0-draft2;
            import wasi:config/store@0.2.0-draft;
            import wasi:config/store@0.2.0-rc.1;
            import wasi:logging/logging@0.1.0-draft;
        }
    "#,
    world: "guest:drafts/drafts",
    generate_all,
});

type Ended = Result<Outcome, HandlerError>;

struct Drafts;

impl Guest for Drafts {
    fn describe() -> PluginInfo {
        let handler = |name: &str, trigger| Handler { name: name.into(), trigger, options: vec![] };
        let mut handlers: Vec<Handler> =
            ["first", "second", "config", "logs", "calls"].map(|name| handler(name, Trigger::Manual)).into();
        handlers.push(handler("on-user", Trigger::Events(vec!["shop/user.*".into()])));
        PluginInfo { name: "drafts".into(), version: "1.0.0".into(), description: None, handlers, options: vec![] }
    }

    /// Counts, greets and tells of it.
    fn handle_event(_: Invocation, event: Event) -> Ended {
        let bucket = store::open("default").map_err(permanent)?;
        let count = atomics::increment(&bucket, "users", 1).map_err(permanent)?;
        let greeting = config::get("greeting").map_err(permanent)?.unwrap_or_default();
        log(Level::Info, "greeter", &format!("{} is number {count}", event.type_));
        text(format!("{greeting} {count}"))
    }

    fn run_job(invocation: Invocation, job: Job) -> Ended {
        let data = String::from_utf8(job.data).map_err(permanent)?;
        match invocation.handler.as_str() {
            "first" => text(first::run(&data)),
            "second" => text(second::run(&data)),
            "config" => text(format!(
                "{:?} {:?} {:?} {:?}",
                config::get("channel"),
                config::get_all(),
                config_rc::get(&data),
                config_rc::get_all()
            )),
            "logs" => logs(),
            "calls" => loop {
                let _ = config::get("channel");
            },
            other => Err(HandlerError::Permanent(format!("no handler {other}"))),
        }
    }
}

fn logs() -> Ended {
    for level in [Level::Trace, Level::Debug, Level::Info, Level::Warn, Level::Error, Level::Critical] {
        log(level, "here", &format!("{level:?}"));
    }
    log(Level::Info, "", "without context");
    Ok(Outcome::Completed(None))
}

fn text(text: String) -> Ended {
    Ok(Outcome::Completed(Some(Output { data_content_type: "text/plain".into(), data: text.into_bytes() })))
}

fn permanent(error: impl std::fmt::Debug) -> HandlerError {
    HandlerError::Permanent(format!("{error:?}"))
}

/// What a value is shown as.
fn shown(value: Option<Vec<u8>>) -> String {
    value.map_or("-".into(), |value| String::from_utf8_lossy(&value).into_owned())
}

fn answer<T: std::fmt::Debug, E: std::fmt::Debug>(result: Result<T, E>) -> String {
    match result {
        Ok(value) => format!("{value:?}").replace('"', ""),
        Err(error) => format!("{error:?}"),
    }
}

/// `n` keys.
fn keys(n: &str) -> Vec<String> {
    (0..n.parse::<u32>().unwrap()).map(|n| format!("k{n:05}")).collect()
}

/// `n` keys with values of so many bytes.
fn pairs(n: &str, bytes: &str) -> Vec<(String, Vec<u8>)> {
    keys(n).into_iter().map(|key| (key, vec![b'x'; bytes.parse().unwrap()])).collect()
}

/// Steps that both drafts know, with the types of one.
#[macro_export]
macro_rules! step {
    ($bucket:expr, $words:expr) => {
        match $words {
            ["open", name] => answer(store::open(name).map(drop)),
            ["get", key] => answer($bucket.get(key).map(shown)),
            ["set", key, value] => answer($bucket.set(key, value.as_bytes())),
            ["delete", key] => answer($bucket.delete(key)),
            ["exists", key] => answer($bucket.exists(key)),
            ["increment", key, delta] => answer(atomics::increment($bucket, key, delta.parse().unwrap())),
            ["get-many", n] => answer(batch::get_many($bucket, &keys(n)).map(|found| found.len())),
            ["get-two", one, two] => answer(batch::get_many($bucket, &[(*one).into(), (*two).into()])),
            ["set-many", n, bytes] => answer(batch::set_many($bucket, &pairs(n, bytes))),
            ["delete-many", n] => answer(batch::delete_many($bucket, &keys(n))),
            ["hoard", n] => {
                let opened: Vec<_> = (0..n.parse().unwrap()).map(|_| store::open("")).collect();
                answer(opened.into_iter().collect::<Result<Vec<_>, _>>().map(|all| all.len()))
            }
            other => format!("no step {other:?}"),
        }
    };
}

export!(Drafts);
