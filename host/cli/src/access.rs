//! Who may use the operator's listener, and what they did.

use anyhow::{Result, bail};
use serde_json::json;

use crate::args::{AuditArgs, SessionsCommand, TokensCommand};
use crate::client::{Client, Write};
use crate::inspect::{self, Print};
use crate::output::{self, Column};
use crate::project::Mistakes;

const TOKENS: [Column; 7] = [
    ("NAME", "name"),
    ("ROLE", "role"),
    ("CREATED", "created"),
    ("BY", "by"),
    ("LAST USED", "used"),
    ("EXPIRES", "expires"),
    ("EXPIRED", "expired"),
];
const SESSIONS: [Column; 8] = [
    ("ID", "id"),
    ("WHO", "who"),
    ("ROLE", "role"),
    ("BY", "by"),
    ("CREATED", "created"),
    ("LAST USED", "used"),
    ("ENDS", "ends"),
    ("YOURS", "own"),
];
const AUDIT: [Column; 8] = [
    ("AT", "at"),
    ("WHO", "who"),
    ("VIA", "via"),
    ("ROLE", "role"),
    ("WHAT", "what"),
    ("OBJECT", "object"),
    ("RESULT", "result"),
    ("DETAIL", "detail"),
];

pub(crate) fn tokens(client: &Client, command: TokensCommand, print: Print) -> Result<()> {
    match command {
        TokensCommand::List => {
            let empty = "No tokens. Make one: hookbox tokens create NAME --role viewer";
            inspect::list(&client.get("tokens", &[])?, &TOKENS, empty, print)
        }
        TokensCommand::Whoami => inspect::show(&client.get("whoami", &[])?, print),
        TokensCommand::Create { name, role, expires_in, once } => {
            let asked = json!({ "name": name, "role": role, "expires_in": expires_in });
            let made = client.write(&Write::post("tokens", "tokens list").with(&asked).once(&once)?)?;
            if print == Print::Json {
                return inspect::json(&made);
            }
            // The token alone goes where a script reads it.
            eprintln!("{name} is made, as {role}. This is shown once: keep it now");
            say!("{}", output::plain(&made["token"]));
            Ok(())
        }
        TokensCommand::Revoke { name, once } => {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || !name.chars().all(plain) {
                bail!(Mistakes(vec![format!("{name:?}: name a token, as `hookbox tokens list` shows it")]));
            }
            let revoked = client.write(&Write::delete(format!("tokens/{name}"), "tokens list").once(&once)?)?;
            if print == Print::Json {
                return inspect::json(&revoked);
            }
            say!("{name} is revoked: it counts no longer, and whoever logged in with it is logged out");
            Ok(())
        }
    }
}

pub(crate) fn sessions(client: &Client, command: SessionsCommand, print: Print) -> Result<()> {
    match command {
        SessionsCommand::List => {
            inspect::list(&client.get("sessions", &[])?, &SESSIONS, "No browser is logged in.", print)
        }
        SessionsCommand::End { id, once } => {
            if id.is_empty() || !id.chars().all(|c| c.is_ascii_hexdigit()) {
                bail!(Mistakes(vec![format!("{id:?}: name a session, as `hookbox sessions list` shows it")]));
            }
            let ended = client.write(&Write::delete(format!("sessions/{id}"), "sessions list").once(&once)?)?;
            if print == Print::Json {
                return inspect::json(&ended);
            }
            say!("{} is logged out there", output::plain(&ended["who"]));
            Ok(())
        }
    }
}

pub(crate) fn audit(client: &Client, args: &AuditArgs, print: Print) -> Result<()> {
    let mut query = inspect::query(&args.page);
    let named = [("who", &args.who), ("text", &args.text), ("since", &args.since), ("until", &args.until)];
    query.extend(named.into_iter().filter_map(|(name, value)| Some((name, value.clone()?))));
    inspect::list(&client.get("audit", &query)?, &AUDIT, "Nothing was done yet.", print)
}
