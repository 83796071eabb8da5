//! The time zone that Celery reckons with.

use hookbox_core::schedule::ZoneName;

use super::value::Value;

/// Of Celery's own; without one it asks for Django's.
const OWN: [&str; 2] = ["timezone", "CELERY_TIMEZONE"];
const DJANGO: &str = "TIME_ZONE";
const ENABLE_UTC: [&str; 2] = ["enable_utc", "CELERY_ENABLE_UTC"];

const CURE: &str = "write `timezone:` at each schedule";

/// What a file says of time zones, in its order.
#[derive(Debug, Default)]
pub(super) struct ZoneSettings {
    own: Vec<Setting>,
    django: Vec<Setting>,
    enable_utc: Option<Value>,
    /// What may lead to a file that names one.
    elsewhere: Option<String>,
}

#[derive(Debug)]
struct Setting {
    value: Value,
    place: String,
}

pub(super) fn is_setting(name: &str) -> bool {
    name == DJANGO || OWN.contains(&name) || ENABLE_UTC.contains(&name)
}

impl ZoneSettings {
    /// Settings of other names are left alone.
    pub(super) fn set(&mut self, name: &str, value: Value, place: &str) {
        if ENABLE_UTC.contains(&name) {
            self.enable_utc = Some(value);
            return;
        }
        let settings = match name {
            DJANGO => &mut self.django,
            name if OWN.contains(&name) => &mut self.own,
            _ => return,
        };
        // To Celery these are as if they were not there.
        if !matches!(&value, Value::None | Value::Bool(false)) && value != Value::Text(String::new()) {
            settings.push(Setting { value, place: place.to_owned() });
        }
    }

    pub(super) fn may_be_in(&mut self, elsewhere: String) {
        self.elsewhere.get_or_insert(elsewhere);
    }

    /// The zone, unless it is UTC, and what is to be told.
    pub(super) fn settle(&self) -> (Option<ZoneName>, Vec<String>) {
        let settings = if self.own.is_empty() { &self.django } else { &self.own };
        let Some(last) = settings.last() else { return (None, self.unnamed().into_iter().collect()) };
        let (zone, wrong) = zone_of(&last.value);
        let mut notes = Vec::from_iter(wrong);
        if settings.iter().any(|other| other.value != last.value) {
            let all = settings.iter().map(|setting| format!("{} ({})", setting.value, setting.place));
            let all = all.collect::<Vec<_>>().join(", ");
            notes.push(format!("the time zone is {all}; the last one is taken here: where another counts, {CURE}"));
        }
        (zone, notes)
    }

    fn unnamed(&self) -> Option<String> {
        match (&self.enable_utc, &self.elsewhere) {
            (None | Some(Value::Bool(true)), None) => None,
            (None | Some(Value::Bool(true)), Some(elsewhere)) => Some(format!(
                "no time zone is named here, and {elsewhere} may name one: times are UTC; where that is wrong, {CURE}"
            )),
            (Some(value), _) => Some(format!(
                "enable_utc is {value} and no time zone is named: Celery takes the zone of its machine, here times are \
                 UTC; where that is wrong, {CURE}"
            )),
        }
    }
}

fn zone_of(given: &Value) -> (Option<ZoneName>, Option<String>) {
    match given {
        Value::Text(text) => match ZoneName::parse(text) {
            Ok(zone) => (Some(zone).filter(|zone| *zone != ZoneName::default()), None),
            Err(error) => (None, Some(format!("the time zone {text:?}: {error}; {CURE}"))),
        },
        other => (None, Some(format!("the time zone is {other}, which is made by code: {CURE}"))),
    }
}
