//! What `manage.py dumpdata django_celery_beat` prints: rows that name each other by number.

use serde_json::{Map, Value as Json};

use super::value::{Call, Value};
use super::{Found, Named};

const TASK: &str = "django_celery_beat.periodictask";

pub(super) fn read(rows: &[Json]) -> Result<Found, String> {
    let model = |row: &Json| row["model"].as_str().map(str::to_ascii_lowercase).unwrap_or_default();
    let mut found = Found::default();
    for row in rows.iter().filter(|row| model(row) == TASK) {
        let Some(fields) = row["fields"].as_object() else { continue };
        let name = fields.get("name").and_then(Json::as_str).unwrap_or("periodic").to_owned();
        // Its own; it makes the others check their rows.
        if name == "celery.backend_cleanup" {
            continue;
        }
        let place = format!("periodic task {}", row["pk"]);
        found.entries.push(Named { entry: entry(fields, rows), name, key: place.clone(), place, only_if: None });
    }
    let is_crontab = |row: &&Json| model(row) == "django_celery_beat.crontabschedule";
    if rows.iter().filter(is_crontab).any(|row| row["fields"]["timezone"].as_str().is_none()) {
        found.zones.may_be_in("Django's settings".to_owned());
    }
    if found.entries.is_empty() {
        return Err(format!("it has no rows of {TASK}: name what `manage.py dumpdata django_celery_beat` printed"));
    }
    Ok(found)
}

fn entry(fields: &Map<String, Json>, rows: &[Json]) -> Value {
    let mut members = Vec::new();
    let mut put = |name: &str, value: Value| members.push((name.to_owned(), value));
    let field = |name: &str| fields.get(name).filter(|value| !value.is_null());
    for name in ["task", "enabled"] {
        field(name).into_iter().for_each(|value| put(name, Value::from(value.clone())));
    }
    // They are texts with JSON in them.
    for name in ["args", "kwargs"] {
        if let Some(text) = field(name).and_then(Json::as_str) {
            let value = serde_json::from_str::<Json>(text).map_or(Value::Code(text.to_owned()), Value::from);
            put(name, value);
        }
    }
    let (schedule, zone) = schedule(&field, rows);
    put("schedule", schedule);
    zone.into_iter().for_each(|zone| put("timezone", zone));
    for (from, to) in [("start_time", "start"), ("expires", "end")] {
        field(from).into_iter().for_each(|value| put(to, Value::from(value.clone())));
    }
    if field("one_off") == Some(&Json::Bool(true)) && field("clocked").is_none() {
        put("count", Value::Int(1));
    }
    let options = ["queue", "exchange", "routing_key", "priority", "headers"].iter().filter_map(|name| {
        let value = field(name).filter(|value| !matches!(value.as_str(), Some("" | "{}")))?;
        Some(((*name).to_owned(), Value::from(value.clone())))
    });
    let mut options: Vec<_> = options.collect();
    options.extend(field("expire_seconds").map(|value| ("expires".to_owned(), Value::from(value.clone()))));
    if !options.is_empty() {
        put("options", Value::Map(options));
    }
    Value::Map(members)
}

fn schedule<'a>(field: &impl Fn(&str) -> Option<&'a Json>, rows: &[Json]) -> (Value, Option<Value>) {
    for (kind, model) in [
        ("interval", "intervalschedule"),
        ("crontab", "crontabschedule"),
        ("solar", "solarschedule"),
        ("clocked", "clockedschedule"),
    ] {
        let Some(number) = field(kind) else { continue };
        let model = format!("django_celery_beat.{model}");
        let is_it = |row: &&Json| row["pk"] == *number && row["model"].as_str() == Some(&model);
        let Some(row) = rows.iter().find(is_it).and_then(|row| row["fields"].as_object()) else {
            return (Value::Code(format!("{kind} {number}, which is not in the file")), None);
        };
        let text = |name: &str| row.get(name).cloned().map_or(Value::None, Value::from);
        let call = |name: &str, args: &[&str]| {
            let named = args.iter().map(|arg| ((*arg).to_owned(), text(arg))).collect();
            Value::Call(Call { name: name.to_owned(), args: Vec::new(), named })
        };
        return match kind {
            "interval" => {
                (Value::Map(vec![("every".to_owned(), text("every")), ("period".to_owned(), text("period"))]), None)
            }
            "crontab" => {
                let fields = ["minute", "hour", "day_of_week", "day_of_month", "month_of_year"];
                (call("crontab", &fields), Some(text("timezone")))
            }
            "solar" => (call("solar", &["event", "latitude", "longitude"]), None),
            _ => {
                let at = vec![("at".to_owned(), text("clocked_time"))];
                (Value::Call(Call { name: "clocked".to_owned(), args: Vec::new(), named: at }), None)
            }
        };
    }
    (Value::None, None)
}
