//! Schedules are begun anew, after a clock that was wrong.

use std::io::IsTerminal;

use anyhow::{Result, bail};
use serde_json::{Value, json};

use super::{change, next, place, told};
use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output;
use crate::project::Mistakes;
use crate::queue;

pub(super) fn one(client: &Client, name: &str, reset: &Write, yes: bool, print: Print) -> Result<()> {
    if !yes {
        let row = client.get(&place(name)?, &[])?;
        let decided = output::plain(&row["decided"]);
        agreed(&format!(
            "every slot up to {decided} is decided; those later than now may run again. Begin {name} anew?"
        ))?;
    }
    let row = client.write(reset)?;
    told(&row, &format!("{name} begins anew: its next slot is {}", next(&row)), print)
}

/// Those that are not ahead of the clock keep their mark and their phase. False where one of the others failed.
pub(super) fn all(client: &Client, yes: bool, print: Print) -> Result<bool> {
    let names = ahead_of_the_clock(client)?;
    let number = names.len();
    if number > 0 && !yes {
        agreed(&format!(
            "{number} schedules are ahead of the clock; their slots later than now may run again. Begin them anew?"
        ))?;
    }
    let done = each(names, |name| client.write(&change(name, "reset")?).map(|_| ()));
    done.tell(print)?;
    Ok(done.failed.is_empty())
}

fn ahead_of_the_clock(client: &Client) -> Result<Vec<String>> {
    let (mut names, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "200".to_owned())];
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page = client.get("schedules", &query)?;
        let items = page["items"].as_array().into_iter().flatten();
        let ahead = items.filter(|item| item["clock_behind"] == true);
        names.extend(ahead.filter_map(|item| item["name"].as_str().map(str::to_owned)));
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return Ok(names),
        }
    }
}

#[derive(Debug, Default)]
struct Done {
    reset: Vec<String>,
    /// With why.
    failed: Vec<(String, String)>,
}

/// One that cannot be reset, as it is gone by now perhaps, keeps no other from it.
fn each(names: Vec<String>, mut reset: impl FnMut(&str) -> Result<()>) -> Done {
    let mut done = Done::default();
    for name in names {
        match reset(&name) {
            Ok(()) => done.reset.push(name),
            Err(error) => done.failed.push((name, format!("{error:#}"))),
        }
    }
    done
}

impl Done {
    fn tell(&self, print: Print) -> Result<()> {
        let Done { reset, failed } = self;
        if print == Print::Json {
            let failed: Vec<Value> =
                failed.iter().map(|(name, error)| json!({ "name": name, "error": error })).collect();
            return inspect::json(&json!({ "reset": reset, "failed": failed }));
        }
        match (reset.len(), failed.len()) {
            (0, 0) => say!("no schedule is ahead of the clock: nothing is done"),
            (0, _) => {}
            (number, _) => say!("{number} schedules begin anew: {}", reset.join(", ")),
        }
        for (name, error) in failed {
            eprintln!("{name} does not begin anew: {error}");
        }
        Ok(())
    }
}

fn agreed(question: &str) -> Result<()> {
    if !std::io::stdin().is_terminal() {
        bail!(Mistakes(vec!["nobody can be asked here: say --yes".to_owned()]));
    }
    if !queue::agreed(question)? {
        bail!("nothing is done");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_cannot_be_reset_keeps_no_other_from_it() {
        let done = each(["a", "b", "c"].map(str::to_owned).to_vec(), |name| match name {
            "b" => bail!("there is no schedule b (404 Not Found)"),
            _ => Ok(()),
        });
        assert_eq!(done.reset, ["a", "c"]);
        assert_eq!(done.failed, [("b".to_owned(), "there is no schedule b (404 Not Found)".to_owned())]);
    }
}
