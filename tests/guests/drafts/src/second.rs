//! Runs a script of calls of `wasi:keyvalue@0.2.0-draft2`, one on a line, and returns their answers.

use crate::wasi::keyvalue0_2_0_draft2::atomics::{self, Cas, CasError};
use crate::wasi::keyvalue0_2_0_draft2::batch;
use crate::wasi::keyvalue0_2_0_draft2::store::{self, Bucket};
use crate::{answer, keys, pairs, shown};

pub(crate) fn run(script: &str) -> String {
    let bucket = store::open("").unwrap();
    let mut seen = None;
    script.lines().map(|line| step(&bucket, &mut seen, line)).collect::<Vec<_>>().join("\n")
}

fn step(bucket: &Bucket, seen: &mut Option<Cas>, line: &str) -> String {
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["list"] => {
            let (mut found, mut cursor) = (Vec::new(), None::<String>);
            loop {
                let page = bucket.list_keys(cursor.as_deref()).unwrap();
                found.push(page.keys.join(","));
                cursor = page.cursor;
                if cursor.is_none() {
                    return found.join(" | ");
                }
            }
        }
        ["look-at", key] => answer(Cas::new(bucket, key).map(|cas| *seen = Some(cas))),
        ["current"] => answer(seen.as_ref().unwrap().current().map(shown)),
        ["swap", value] => match atomics::swap(seen.take().unwrap(), value.as_bytes()) {
            Ok(()) => "swapped".into(),
            Err(CasError::CasFailed(now)) => {
                *seen = Some(now);
                "another value".into()
            }
            Err(CasError::StoreError(error)) => format!("{error:?}"),
        },
        words => crate::step!(bucket, words),
    }
}
