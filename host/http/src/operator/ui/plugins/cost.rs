//! What the handlers of a plugin have cost since the start of the host.

use maud::{Markup, html};

use super::super::{chart, parts};
use crate::view::plugin::HandlerCostView;

pub(super) fn cost(own: &[HandlerCostView]) -> Markup {
    if own.is_empty() {
        return html! { p.dim { "None of its handlers has run since the host started." } };
    }
    html! {
        div.scroll tabindex="0" role="region" aria-label="Cost" {
            table {
                thead {
                    tr {
                        th scope="col" { "Handler" }
                        th.number scope="col" { "Attempts" }
                        th.number scope="col" { "Time each" }
                        th.number scope="col" { "CPU each" }
                        th.number scope="col" { "CPU together" }
                        th.number scope="col" { "Most memory" }
                        th.number scope="col" { "Log" }
                        th scope="col" { "Host calls" }
                    }
                }
                tbody {
                    @for spent in own {
                        @let each = |us: u64| chart::duration(us as f64 / spent.attempts.max(1) as f64);
                        tr {
                            td { (spent.handler) }
                            td.number { (parts::number(spent.attempts)) }
                            td.number { (each(spent.wall_us)) }
                            td.number { (each(spent.cpu_us)) }
                            td.number { (chart::duration(spent.cpu_us as f64)) }
                            td.number { (parts::bytes(spent.memory_peak_bytes)) }
                            td.number { (parts::bytes(spent.log_bytes)) }
                            td.message {
                                @for (at, (kind, calls)) in spent.host_calls.iter().enumerate() {
                                    @if at > 0 { ", " } (parts::number(*calls)) " " (kind)
                                }
                            }
                        }
                    }
                }
            }
        }
        p.dim { "Since the host started." }
    }
}
