//! What happens to plugins, a line each as it happens.

use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::short;
use crate::client::Client;
use crate::inspect::Print;
use crate::output::plain;

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Until so many were printed, or until it is interrupted. A host that is away for a moment, such as for a restart, is
/// asked again; the first answer must come.
pub(super) fn watch(client: &Client, count: Option<u64>, print: Print) -> Result<()> {
    let mut left = count.unwrap_or(u64::MAX);
    let mut next = client.get("plugin-changes", &[])?["next"].clone();
    if print == Print::Tables {
        say!("watching the plugins: end it with ctrl-c");
    }
    let mut away = false;
    while left > 0 {
        std::thread::sleep(LOOK_EVERY);
        let seen = match client.get("plugin-changes", &[("after", plain(&next))]) {
            Ok(seen) => seen,
            Err(error) => {
                if !away {
                    eprintln!("{error:#}; asking again");
                }
                away = true;
                continue;
            }
        };
        away = false;
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
