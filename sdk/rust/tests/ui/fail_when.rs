use hookbox_sdk::{cron, daily, every, every_minutes, monthly};

#[cron("0 0 9 * * MON-FRI 2026")]
fn seven_fields() {}

#[cron("@daily")]
fn nickname() {}

#[every("5 minutes")]
fn no_duration() {}

#[every_minutes(45)]
fn uneven() {}

#[daily("25:00")]
fn no_time() {}

#[monthly("31 09:00")]
fn not_every_month() {}

fn main() {}
