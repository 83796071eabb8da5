//! Runs a script of calls of `wasi:keyvalue@0.2.0-draft`, one on a line, and returns their answers.

use crate::wasi::keyvalue0_2_0_draft::store::{self, Bucket};
use crate::wasi::keyvalue0_2_0_draft::{atomics, batch};
use crate::{answer, keys, pairs, shown};

pub(crate) fn run(script: &str) -> String {
    let bucket = store::open("").unwrap();
    script.lines().map(|line| step(&bucket, line)).collect::<Vec<_>>().join("\n")
}

fn step(bucket: &Bucket, line: &str) -> String {
    match line.split(' ').collect::<Vec<_>>().as_slice() {
        ["list-from", cursor] => answer(bucket.list_keys(cursor.parse().ok()).map(|page| page.keys.len())),
        ["list"] => {
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let page = bucket.list_keys(cursor).unwrap();
                found.push(page.keys.join(","));
                cursor = page.cursor;
                if cursor.is_none() {
                    return found.join(" | ");
                }
            }
        }
        words => crate::step!(bucket, words),
    }
}
