//! Runs a script of kv calls, one on a line, and returns their answers.

use crate::hookbox::plugin::kv;
use crate::hookbox::plugin::types::Job;
use crate::{Ended, permanent, text};

pub(crate) fn run(job: &Job) -> Ended {
    let script = String::from_utf8(job.data.clone()).map_err(permanent)?;
    let answers: Vec<String> = script.lines().map(step).collect();
    text(answers.join("\n"))
}

fn step(line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    match words.as_slice() {
        ["get", key] => answer(kv::get(key).map(|value| shown(value.as_deref()))),
        ["set", key, value] => answer(kv::set(key, value.as_bytes(), None)),
        ["set-ttl", key, value] => answer(kv::set(key, value.as_bytes(), Some(60_000))),
        ["set-large", key, bytes] => answer(kv::set(key, &vec![b'x'; bytes.parse().unwrap()], None)),
        ["delete", key] => answer(kv::delete(key)),
        ["add", key, delta] => answer(kv::add(key, delta.parse().unwrap())),
        ["increment", key, delta] => answer(kv::increment(key, delta.parse().unwrap())),
        ["swap", key, old, new] => answer(kv::compare_and_swap(key, bytes(old).as_deref(), bytes(new).as_deref())),
        ["list", prefix] => {
            let (mut keys, mut cursor) = (Vec::new(), None);
            loop {
                match kv::list(prefix, cursor.as_deref()) {
                    Err(error) => return format!("{error:?}"),
                    Ok(page) => {
                        keys.push(page.keys.join(","));
                        cursor = page.next;
                    }
                }
                if cursor.is_none() {
                    return keys.join(" | ");
                }
            }
        }
        ["set-many", count] => {
            let failed =
                (0..count.parse::<u32>().unwrap()).find_map(|n| kv::set(&format!("k{n:05}"), b"1", None).err());
            format!("{failed:?}")
        }
        _ => format!("no step {line}"),
    }
}

fn bytes(word: &str) -> Option<Vec<u8>> {
    (word != "-").then(|| word.as_bytes().to_vec())
}

fn shown(value: Option<&[u8]>) -> String {
    value.map_or("-".into(), |value| String::from_utf8_lossy(value).into_owned())
}

fn answer<T: std::fmt::Debug>(result: Result<T, kv::Error>) -> String {
    match result {
        Ok(value) => format!("{value:?}").replace('"', ""),
        Err(error) => format!("{error:?}"),
    }
}
