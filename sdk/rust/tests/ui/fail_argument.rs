use hookbox_sdk::{Event, Job, job, on};

#[on("shop/user.created")]
fn no_extractor(_: u32) {}

#[on("shop/user.created")]
fn job_for_an_event(_: Job) {}

#[job]
fn event_for_a_job(_: &Event) {}

fn main() {}
