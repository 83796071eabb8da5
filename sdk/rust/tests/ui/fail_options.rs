use hookbox_sdk::{every, job, on};

#[job(timeout = "30s", timeout = "40s")]
fn twice() {}

#[job(retries = 3)]
fn unknown() {}

#[job(name = "Send Letter")]
fn wrong_name() {}

#[job(timeout = "2h")]
fn too_long() {}

#[every("5m", tz = "Europe/London")]
fn no_zone() {}

#[on("shop/user.created", attempts = "8")]
fn quoted() {}

#[on("shop/order.*", order_per = "customer.id", concurrency_per = "customer.id")]
fn keyed_twice() {}

#[on("shop/order.*", rate = "10 a second")]
fn too_wordy() {}

#[job(priority = "urgent")]
fn urgent() {}

fn main() {}
