//! Values of options, within their bounds; a mistake says what to write.

use crate::time::{Millis, NotADuration};

pub(crate) fn span(text: &str, min: Millis, max: Millis) -> Result<Millis, String> {
    let span: Millis = text.parse().map_err(|error: NotADuration| error.to_string())?;
    if (min..=max).contains(&span) { Ok(span) } else { Err(format!("must be {min}..={max}, got {text}")) }
}

/// From 1.
pub(crate) fn number(text: &str, max: u32) -> Result<u32, String> {
    match text.parse() {
        Ok(number) if (1..=max).contains(&number) => Ok(number),
        _ => Err(format!("must be 1..={max}, got {text:?}")),
    }
}
