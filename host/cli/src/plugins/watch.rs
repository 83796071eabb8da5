//! What happens to plugins, a line each as it happens.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::short;
use crate::client::{Client, Patience};
use crate::inspect::Print;
use crate::output::plain;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Until so many were printed, or until it is interrupted. A host that is away for a moment, such as for a restart, is
/// asked again; the first answer must come. Fails where the host refuses for good.
pub(super) fn watch(client: &Client, count: Option<u64>, print: Print) -> Result<()> {
    let mut left = count.unwrap_or(u64::MAX);
    let mut next = client.get("plugin-changes", &[])?["next"].clone();
    if print == Print::Tables {
        say!("watching the plugins: end it with ctrl-c");
    }
    let (mut patience, mut wait) = (Patience::new(LOOK_EVERY), LOOK_EVERY);
    while left > 0 {
        std::thread::sleep(wait);
        let seen = match client.get("plugin-changes", &[("after", plain(&next))]) {
            Ok(seen) => seen,
            Err(error) => {
                wait = patience.failed(error)?;
                continue;
            }
        };
        wait = LOOK_EVERY;
        patience.answered();
        if seen["missed"] == true {
            eprintln!("some changes were missed: `hookbox plugins list` shows what serves");
        }
        for change in seen["items"].as_array().into_iter().flatten().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            match print {
                Print::Json => say!("{change}"),
                Print::Tables => say!("{}", line(change)),
            }
            left -= 1;
        }
        next = seen["next"].clone();
    }
    Ok(())
}

fn line(change: &Value) -> String {
    let what = change["what"].as_str().unwrap_or_default();
    let more = match what {
        "compiled" if change["cached"] == true => format!("loaded in {} ms", plain(&change["took_ms"])),
        "compiled" => format!("in {} ms", plain(&change["took_ms"])),
        "refused" => format!("{} ({})", plain(&change["reason"]), plain(&change["code"])),
        "rolled-back" => format!("to {}: {}", short(&change["to"]), plain(&change["reason"])),
        "stays" => plain(&change["reason"]),
        _ => String::new(),
    };
    let (at, plugin) = (plain(&change["at"]), plain(&change["plugin"]));
    format!("{at}  {plugin:<20} {}  {:<12} {more}", short(&change["digest"]), what.replace('-', " "))
        .trim_end()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::scripted::{Scripted, in_json, problem};
    use serde_json::json;

    #[test]
    fn a_watch_ends_where_the_host_refuses_for_good_and_goes_on_where_it_is_away() {
        let answers = [
            in_json(&json!({ "items": [], "next": "1" })),
            problem("503 Service Unavailable", "starting"),
            in_json(&json!({ "items": [{ "what": "active", "plugin": "steps" }], "next": "2" })),
            problem("401 Unauthorized", "the token was revoked"),
        ];
        let host = Scripted::answering(answers.to_vec());
        let error = watch(&host.client(), None, Print::Json).unwrap_err();
        assert!(error.to_string().contains("the token was revoked"), "{error:#}");
        let asked = host.asked();
        assert!(asked[2].contains("after=1") && asked[3].contains("after=2"), "{asked:?}");
    }
}
