use hookbox_sdk::on;

#[on("shop/user.created", "user.created")]
fn no_provider() {}

#[on]
fn no_pattern() {}

fn main() {}
