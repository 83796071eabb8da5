use hookbox_sdk::{every, job};

#[job]
struct NotAFunction;

#[job]
async fn asynchronous() {}

#[job]
fn generic<T>(_: T) {}

#[job]
#[every("5m")]
fn two_triggers() {}

#[job]
fn Loud() {}

fn main() {}
