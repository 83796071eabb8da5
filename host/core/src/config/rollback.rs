//! When a new version is rolled back.

use std::str::FromStr;

use super::reader::Field;
use crate::trial::{OVER_MAX, Percent, Rule};

/// Nothing where it is not said, or wrong; nothing in it where it is `none`.
pub(super) fn read(field: Option<Field<'_>>) -> Option<Option<Rule>> {
    let field = field?;
    if !field.is_map() {
        return field.parsed(|text| match text {
            "none" => Ok(None),
            _ => Err(format!("must be {{ failures: 50%, over: 20 }} or none, got {text}")),
        });
    }
    let mut section = field.section();
    let failures = section.required::<Percent>("failures", "how many may fail, such as 50%");
    let over = section.required::<Attempts>("over", "of how many attempts, such as 20");
    section.finish();
    Rule::new(failures?, over?.0).map(Some)
}

struct Attempts(u32);

impl FromStr for Attempts {
    type Err = String;

    fn from_str(text: &str) -> Result<Attempts, String> {
        let number = text.parse().ok().filter(|number| (1..=OVER_MAX).contains(number));
        number.map(Attempts).ok_or_else(|| format!("must be 1..={OVER_MAX}, got {text}"))
    }
}
