use hookbox_sdk::{cron, daily, every, job, on};

#[every("1h", overlap = "queue")]
fn no_overlap() {}

#[every("1h", missed = "all:1001")]
fn too_many() {}

#[every("1h", phase = "1h")]
fn no_phase() {}

#[cron("0 9 * * *", phase = "5m")]
fn phase_of_a_cron() {}

#[daily("09:00", day_rule = "and")]
fn day_rule_of_a_day() {}

#[cron("0 9 13 * FRI", day_rule = "xor")]
fn no_day_rule() {}

#[every("1h", start = "2026-12-01")]
fn no_time() {}

#[job(jitter = "30s")]
fn jitter_of_a_job() {}

#[on("shop/order.paid", count = 3)]
fn count_of_events() {}

fn main() {}
