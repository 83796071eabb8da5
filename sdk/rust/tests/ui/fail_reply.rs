use hookbox_sdk::{Json, job};

struct User;

#[job]
fn a_number() -> u32 {
    7
}

#[job]
fn no_serialize() -> Json<User> {
    Json(User)
}

fn main() {}
