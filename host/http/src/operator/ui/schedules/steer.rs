//! Of the page of a schedule: what can be done to it, by whoever may.

use maud::{Markup, html};

use crate::operator::access::may;
use crate::view::schedule::ScheduleView;

/// `path` is the schedule's in the API.
pub(super) fn steer(path: &str, schedule: &ScheduleView) -> Markup {
    html! {
        div.actions.scripted {
            @if may("run schedule") {
                button type="button" data-send={ (path) "/run" } data-done="A run is on the queue." { "Run now" }
            }
            @if schedule.paused.is_some() {
                @if may("resume schedule") {
                    button type="button" data-send={ (path) "/resume" } data-done="It goes on." { "Resume" }
                }
            } @else if may("pause schedule") {
                button type="button" data-send={ (path) "/pause" } data-done="It is paused." { "Pause" }
            }
            @if may("reset schedule") {
                button type="button" data-send={ (path) "/reset" } data-done="It begins anew from now."
                    data-ask="Slots that were not decided yet are forgotten, and it begins anew from now. Go on?" { "Reset" }
            }
            @if schedule.origin == "operator" && may("remove schedule") {
                button.danger type="button" data-send=(path) data-method="DELETE" data-to="/schedules"
                    data-ask={ "Take the schedule " (schedule.name) " away?" } { "Remove" }
            }
        }
        @if may("backfill schedule") {
            details.edit.scripted #backfill {
                summary { "Run the slots of a past range" }
                p.dim { "Each slot has one such run, however often it is asked for. The schedule itself stays as it is." }
                form.filter data-send={ (path) "/backfill" } data-count="slots" {
                    label { "From" input name="from" required placeholder="2026-11-30T00:00:00Z" autocomplete="off"; }
                    label { "To before" input name="to" required placeholder="2026-12-01T00:00:00Z" autocomplete="off"; }
                    button type="submit" { "Count, then run" }
                }
            }
        }
    }
}
