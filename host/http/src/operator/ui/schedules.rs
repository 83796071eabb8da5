//! `GET /schedules` and `GET /schedules/NAME`.

mod steer;

use axum::extract::State;
use axum::http::Uri;
use hookbox_core::name::ScheduleName;
use hookbox_core::time::Timestamp;
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, chart, parts, run};
use crate::operator::Api;
use crate::operator::access::may;
use crate::operator::query::{Named, Query};
use crate::operator::schedules::detail;
use crate::view::schedule::{ScheduleDetailView, ScheduleView};

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Page, Unshown> {
    let given = super::query(&uri);
    let page = Query::of(given.clone()).page::<ScheduleName>()?;
    // One more tells whether there is another page.
    let mut rows = operator.store.schedules(page.before.as_ref(), page.limit + 1).await?;
    let further = rows.len() > page.limit;
    rows.truncate(page.limit);
    let next = rows.last().filter(|_| further).map(|last| last.schedule.name.to_string());
    let now = operator.clock.now();
    let views: Vec<ScheduleView> = rows.iter().map(|row| ScheduleView::of(row, now)).collect();
    Ok(Frame::new(At::Schedules, "Schedules").page(html! {
        h1 { "Schedules" }
        @if may("put schedule") { p { a.button href="/new-schedule" { "New schedule" } } }
        @if views.is_empty() {
            (parts::empty("No schedule yet. A plugin declares one, hooks.yaml does, or you:",
                Some("hookbox schedules put NAME --plugin PLUGIN --handler HANDLER --cron '0 8 * * mon-fri'")))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Schedules" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Schedule" }
                            th scope="col" { "Handler" }
                            th scope="col" { "When" }
                            th scope="col" { "State" }
                            th scope="col" { "Next" }
                            th scope="col" { "Last" }
                            th.number scope="col" { "Late" }
                            th.number scope="col" { "Fired" }
                            th.number scope="col" { "Missed" }
                        }
                    }
                    tbody {
                        @for (schedule, row) in views.iter().zip(&rows) {
                            tr {
                                td { a href={ "/schedules/" (schedule.name) } { (schedule.name) } }
                                td { (schedule.plugin) "/" (schedule.handler) }
                                td.message { (schedule.when.words) }
                                td { (standing(schedule)) }
                                td { (parts::moment_or_none(schedule.next.as_deref(), now)) }
                                td {
                                    (parts::moment_or_none(schedule.last_fired.as_deref(), now))
                                    @if let Some(run) = &schedule.last_run { " " a href={ "/runs/" (run) } { "run" } }
                                }
                                td.number { (chart::span(row.lateness.last.0 as f64)) }
                                td.number { (parts::number(schedule.counts.fired)) }
                                td.number { (parts::number(schedule.counts.missed)) }
                            }
                        }
                    }
                }
            }
        }
        (parts::further("/schedules", &given, next.as_deref()))
    }))
}

fn standing(schedule: &ScheduleView) -> Markup {
    html! {
        @if schedule.paused.is_some() { (parts::state("paused")) }
        @else if let Some(attention) = &schedule.attention { (parts::state(attention.reason)) }
        @else { (parts::state("active")) }
    }
}

pub(super) async fn show(State(operator): Api, Named(name): Named<ScheduleName>) -> Result<Page, Unshown> {
    let row = operator.store.schedule(&name).await?;
    let view = detail(&operator, &row).await?;
    let (schedule, now) = (&view.schedule, operator.clock.now());
    let title = format!("Schedule {}", schedule.name);
    let path = format!("/api/v1/schedules/{}", schedule.name);
    let rules = row.schedule.rules.written();
    let change = format!("/new-schedule?{}", parts::encoded(&[("edit", &schedule.name)]));
    Ok(Frame::new(At::Schedules, &title).page(html! {
        h1 { (title) " " (standing(schedule)) }
        dl {
            dt { "Handler" } dd { (schedule.plugin) "/" (schedule.handler) }
            dt { "When" } dd { (schedule.when.words) " (" code { (schedule.when.text) } ")" }
            dt { "Declared by" } dd { (schedule.origin) }
            @for rule in &rules { dt { (rule.0) } dd { (rule.1) } }
            @if let Some(pause) = &schedule.paused {
                dt { "Paused" }
                dd {
                    (parts::exact(&pause.since, now))
                    @if let Some(note) = &pause.note { ": " (note) }
                    @if let Some(failures) = pause.failures { ", after " (failures) " failures in a row" }
                }
            }
            @if let Some(attention) = &schedule.attention { dt { "To look at" } dd { (attention.cure) } }
            dt { "Late" }
            dd {
                "last by " (chart::span(view.lateness.last_ms as f64)) ", at most by " (chart::span(view.lateness.longest_ms as f64))
            }
            dt { "Slots" }
            dd {
                (parts::number(schedule.counts.fired)) " fired, " (parts::number(schedule.counts.missed)) " missed, "
                (parts::number(schedule.counts.overlap_skipped)) " skipped while another ran, "
                (parts::number(schedule.counts.dropped)) " dropped, " (parts::number(schedule.counts.paused)) " paused"
            }
            @if let Some(left) = view.left { dt { "Slots left" } dd { (left) } }
        }
        (steer::steer(&path, schedule))
        @match schedule.origin {
            "operator" => @if may("put schedule") { p { a href=(change) { "Change it" } } },
            "config" => p.dim { "It is in hooks.yaml, and changed there." },
            _ => @if may("put schedule") { p { a href=(change) { "Put one of your own in its place" } } },
        }
        (slots(&view, now))
        @if !view.open.is_empty() {
            h2 { "Runs that are alive" }
            ul { @for id in &view.open { li { (parts::id("/runs", id)) } } }
        }
        @if let Some(payload) = &view.payload { h2 { "Payload" } (run::shown(payload)) }
    }))
}

fn slots(view: &ScheduleDetailView, now: Timestamp) -> Markup {
    html! {
        h2 { "Next" }
        @if view.upcoming.is_empty() { p.dim { "No slot will come." } }
        ol { @for slot in &view.upcoming { li { (slot.local) " " span.dim { "(" (parts::moment(&slot.slot, now)) ")" } } } }
        h2 { "Last" }
        @if view.recent.is_empty() {
            p.dim { "No slot has come yet." }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Last slots" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Slot" }
                            th scope="col" { "Verdict" }
                            th.number scope="col" { "Late" }
                            th scope="col" { "Run" }
                        }
                    }
                    tbody {
                        @for slot in &view.recent {
                            tr {
                                td { (parts::exact(&slot.slot, now)) @if slot.slots > 1 { " and " (slot.slots - 1) " before" } }
                                td { (parts::state(slot.verdict)) @if let Some(why) = slot.why { " " (why) } }
                                td.number { (slot.late_ms) " ms" }
                                td { @if let Some(run) = &slot.run { (parts::id("/runs", run)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}
