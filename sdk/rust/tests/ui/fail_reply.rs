use hookbox_sdk::job;

#[job]
fn a_number() -> u32 {
    7
}

fn main() {}
