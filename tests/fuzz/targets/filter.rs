//! Any text is a filter or is refused, and any filter answers for any event or tells a fault; both in words
//! without control characters, and the same each time.
//!
//! The library that evaluates has been seen to panic. The crate catches that, so the hook of libfuzzer-sys, which
//! aborts at once, is told to pass over panics outside of hookbox; one that nobody catches still ends the run.
//!
//! An input is a filter, an event type and a header's value, each on its line, and a body.

#![no_main]

use std::panic::{set_hook, take_hook};

use hookbox_core::event::{Event, Source};
use hookbox_core::id::EventId;
use hookbox_core::name::ProviderName;
use hookbox_core::route::filter::{Filter, Subject};
use hookbox_core::time::Timestamp;
use hookbox_fuzz::line;
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: pass_over_caught_panics(), |input: &[u8]| {
    let (text, rest) = line(input);
    let (event_type, rest) = line(rest);
    let (header, body) = line(rest);
    let Ok(text) = str::from_utf8(text) else { return };
    let filter = match Filter::parse(text) {
        Ok(filter) => filter,
        Err(error) => return assert!(!error.to_string().contains(char::is_control), "{error}"),
    };
    assert_eq!(Filter::parse(&filter.to_string()).as_ref(), Ok(&filter));
    let owned = |bytes| String::from_utf8_lossy(bytes).into_owned();
    let event = Event {
        id: EventId::new(Timestamp(1), 1),
        source: Source::Provider(ProviderName::parse("shop").expect("a name")),
        namespace: "shop".to_owned(),
        event_type: owned(event_type),
        subject: None,
        time: Timestamp(1),
        content_type: "application/json".to_owned(),
        data: body.to_vec(),
        attributes: vec![("delivery-id".to_owned(), "1".to_owned()), ("header.x-shop".to_owned(), owned(header))],
        hops: 0,
    };
    let answer = filter.matches(&Subject::new(&event));
    if let Err(fault) = &answer {
        assert!(!fault.to_string().contains(char::is_control), "{fault}");
    }
    assert_eq!(filter.matches(&Subject::new(&event)), answer);
});

fn pass_over_caught_panics() {
    let abort = take_hook();
    set_hook(Box::new(move |panic| {
        let ours = |file: &str| file.contains("host/core/") || file.contains("targets/");
        if panic.location().is_none_or(|at| ours(at.file())) {
            abort(panic);
        }
    }));
}
