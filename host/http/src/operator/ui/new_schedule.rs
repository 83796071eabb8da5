//! `GET /new-schedule`: making or changing a schedule, with what it would be in words and dates. The form only reads; what it
//! shows is what is sent to the API.

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::config::SCHEDULE_KINDS;
use hookbox_core::name::ScheduleName;
use hookbox_core::plugin::Trigger;
use hookbox_core::schedule::{Rules, ScheduleRow, When};
use maud::{Markup, html};
use serde_json::{Map, Value};

use super::frame::{At, Frame, Page};
use super::{Unshown, parts};
use crate::operator::etag;
use crate::operator::query::Query;
use crate::operator::schedules::previewed;
use crate::operator::{Api, Operator};
use crate::view::payload::PayloadView;
use crate::view::schedule::PreviewView;

/// What each kind is, and how its value is written.
const KINDS: [(&str, &str, &str); SCHEDULE_KINDS.len()] = [
    ("cron", "Cron expression", "0 8 * * mon-fri"),
    ("every", "Every so often", "45m"),
    ("every_minutes", "Each so many minutes of the clock", "15"),
    ("hourly", "Each hour, at the minute", "30"),
    ("daily", "Each day, at", "09:00"),
    ("weekly", "Each week, on", "MON 09:00"),
    ("monthly", "Each month, on the day", "1 09:00"),
    ("at", "Once, at", "2030-01-31T09:00:00Z"),
];

/// Of the rules, those that the form has, and how each is written.
const RULES: [(&str, &str, &str); 8] = [
    ("start", "No slot before", "2030-01-01T00:00:00Z"),
    ("end", "No slot at or after", ""),
    ("count", "Ends after so many runs", "never"),
    ("jitter", "Put off by up to", "0s"),
    ("overlap", "While an earlier run is alive", "skip"),
    ("missed", "Of missed slots", "latest"),
    ("missed_within", "If late by at most", "1d"),
    ("pause_after", "Paused after so many failures in a row", "never"),
];

/// The tag of what is changed, as it was when the form was opened.
const SEEN: &str = "seen";

/// What was typed.
struct Typed(Vec<(String, String)>);

impl Typed {
    fn of(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(other, _)| other == name);
        found.map_or("", |(_, value)| value.trim())
    }

    /// As the API takes them, or why the payload is no JSON. What the form has no field for is kept as it is.
    fn members(&self) -> Result<Map<String, Value>, String> {
        let mut members = Map::new();
        let mut put = |name: &str, text: &str| {
            if !text.is_empty() {
                members.insert(name.to_owned(), Value::from(text));
            }
        };
        let (plugin, handler) = self.of("target").split_once('/').unwrap_or((self.of("target"), ""));
        put("plugin", plugin);
        put("handler", handler);
        if let Some((kind, ..)) = KINDS.iter().find(|(kind, ..)| *kind == self.of("kind")) {
            put(kind, self.of("when"));
        }
        for name in ["timezone", "day_rule", "phase"].iter().chain(&Rules::OPTIONS) {
            put(name, self.of(name));
        }
        match self.of("payload") {
            "" => {}
            text => {
                let payload = serde_json::from_str(text).map_err(|error| format!("payload: must be JSON: {error}"))?;
                members.insert("payload".to_owned(), payload);
            }
        }
        Ok(members)
    }
}

pub(super) async fn show(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let given = super::query(&uri);
    let edited = Query::of(given.clone()).parsed::<ScheduleName>("edit")?;
    let typed = match &edited {
        Some(name) => {
            // Before the row: what changes in between is then not overwritten either.
            let tag = etag::of_schedule(&operator, name).await?.unwrap_or_default();
            let mut typed = of_row(&operator.store.schedule(name).await?);
            typed.0.push((SEEN.to_owned(), tag));
            typed
        }
        None => Typed(given),
    };
    let title = if typed.of("name").is_empty() || edited.is_none() { "New schedule" } else { "Change a schedule" };
    let preview = preview(&operator, &typed).await?;
    Ok(Frame::new(At::Schedules, title).page(html! {
        h1 { (title) }
        p.dim { "It counts over restarts. One that a plugin declares under the same name gives way to it; hooks.yaml comes first." }
        form.fields method="get" action="/new-schedule" data-preview="preview" {
            (fields(&operator, &typed))
            button type="submit" { "Preview" }
        }
        section #preview aria-live="polite" aria-label="Preview" { (preview) }
    }))
}

fn fields(operator: &Operator, typed: &Typed) -> Markup {
    let catalogue = operator.store.catalogue();
    let mut targets: Vec<String> = Vec::new();
    for row in catalogue.plugins() {
        let handlers = row.active.iter().flat_map(|active| &active.info.handlers);
        let fitting = handlers.filter(|handler| !matches!(handler.trigger, Trigger::Events(_)));
        targets.extend(fitting.map(|handler| format!("{}/{}", row.name, handler.name)));
    }
    let text = |name: &str, label: &str, hint: &str| {
        html! { label { (label) input name=(name) value=(typed.of(name)) placeholder=(hint) autocomplete="off"; } }
    };
    html! {
        (text("name", "Name", "nightly"))
        label {
            "Handler"
            input name="target" value=(typed.of("target")) list="targets" placeholder="plugin/handler" autocomplete="off";
            datalist #targets { @for target in &targets { option value=(target) {} } }
        }
        label {
            "When"
            select name="kind" {
                @for (kind, label, hint) in KINDS {
                    option value=(kind) selected[typed.of("kind") == kind] { (label) ", such as " (hint) }
                }
            }
        }
        (text("when", "Its value", KINDS[0].2))
        (text("timezone", "Time zone", "UTC"))
        details open[RULES.iter().any(|(name, ..)| !typed.of(name).is_empty()) || !typed.of("payload").is_empty()] {
            summary { "Rules and payload" }
            div.fields {
                @for (name, label, hint) in RULES { (text(name, label, hint)) }
                label.wide { "Payload, as JSON" textarea name="payload" spellcheck="false" { (typed.of("payload")) } }
            }
        }
        @if !typed.of(SEEN).is_empty() { input type="hidden" name=(SEEN) value=(typed.of(SEEN)); }
        // What the form has no field for stays as it is.
        @for name in ["day_rule", "phase"].iter().chain(&Rules::OPTIONS) {
            @if !RULES.iter().any(|(shown, ..)| shown == name) && !typed.of(name).is_empty() {
                input type="hidden" name=(name) value=(typed.of(name));
            }
        }
    }
}

async fn preview(operator: &Operator, typed: &Typed) -> Result<Markup, Unshown> {
    if typed.of("when").is_empty() {
        return Ok(html! { p.dim { "Say when, and this says what it means." } });
    }
    let members = match typed.members() {
        Ok(members) => members,
        Err(mistake) => return Ok(html! { div.verdict.bad { (mistake) } }),
    };
    let name = match typed.of("name") {
        "" => None,
        name => match ScheduleName::parse(name) {
            Ok(name) => Some(name),
            Err(error) => return Ok(html! { div.verdict.bad { "name: " (error) } }),
        },
    };
    let view = previewed(operator, name.clone(), members.clone()).await?;
    let is = match &name {
        Some(name) => etag::of_schedule(operator, name).await?,
        None => None,
    };
    let now = operator.clock.now();
    Ok(html! {
        h2 { "What it means" }
        (mistakes(&view))
        @if let Some(when) = &view.when { p { b { (when.words) } } }
        @for warning in &view.warnings { p { (parts::state("note")) " " (warning) } }
        @if view.when.is_some() {
            h2 { "The next slots" }
            @if view.upcoming.is_empty() { p.dim { "No slot will come." } }
            ol { @for slot in &view.upcoming { li { (slot.local) " " span.dim { "(" (parts::moment(&slot.slot, now)) ")" } } } }
        }
        @match (&name, view.good) {
            (Some(name), true) => (save(name, Value::Object(members), is.as_deref(), typed.of(SEEN))),
            (None, true) => p.dim { "Give it a name to save it." },
            (_, false) => {},
        }
    })
}

/// Over what was seen, and nothing else: `is` is the tag of what has the name now.
fn save(name: &ScheduleName, body: Value, is: Option<&str>, seen: &str) -> Markup {
    let (over, words) = match is {
        None => (None, "Save"),
        Some(_) if !seen.is_empty() => (Some(seen), "Save"),
        Some(is) => (Some(is), "Replace it"),
    };
    html! {
        @if is.is_none() && !seen.is_empty() {
            p { (parts::state("note")) " There is no schedule " (name) " any more: saving makes it again." }
        } @else if is.is_some() && seen.is_empty() {
            p { (parts::state("note")) " There is a schedule " a href={ "/schedules/" (name) } { (name) } " already." }
        } @else if is.is_some_and(|is| is != seen) {
            p {
                (parts::state("note")) " Somebody has changed " a href={ "/schedules/" (name) } { (name) } " meanwhile: "
                a href={ "/new-schedule?edit=" (name) } { "begin with what it is now" } "."
            }
        }
        div.actions.scripted {
            button type="button" data-send={ "/api/v1/schedules/" (name) } data-method="PUT" data-over=(over.unwrap_or_default())
                data-body=(body) data-to={ "/schedules/" (name) } { (words) }
        }
    }
}

fn mistakes(view: &PreviewView) -> Markup {
    html! {
        @if !view.mistakes.is_empty() {
            div.verdict.bad {
                ul {
                    @for mistake in &view.mistakes {
                        li { @if !mistake.path.is_empty() { (mistake.path) ": " } (mistake.message) }
                    }
                }
            }
        }
    }
}

/// As somebody would have typed it.
fn of_row(row: &ScheduleRow) -> Typed {
    let schedule = &row.schedule;
    let mut typed =
        vec![("name".to_owned(), schedule.name.to_string()), ("target".to_owned(), schedule.target.to_string())];
    let mut put = |name: &str, text: String| typed.push((name.to_owned(), text));
    match &schedule.when {
        When::Cron { expression, timezone, day_rule } => {
            put("kind", "cron".to_owned());
            put("when", expression.clone());
            put("timezone", timezone.clone());
            if *day_rule == hookbox_core::cron::DayRule::And {
                put("day_rule", "and".to_owned());
            }
        }
        When::Every { period, phase } => {
            put("kind", "every".to_owned());
            put("when", period.to_string());
            if let Some(phase) = phase {
                put("phase", phase.to_string());
            }
        }
        When::Once { at } => {
            put("kind", "at".to_owned());
            put("when", at.to_string());
        }
    }
    for (name, text) in schedule.rules.written() {
        put(name, text);
    }
    if let Some(payload) = &schedule.payload {
        let payload = PayloadView::exact(&payload.content_type, &payload.data);
        put("payload", payload.data.text().unwrap_or_default().to_owned());
    }
    Typed(typed)
}
