//! `GET /providers` and `GET /providers/NAME`.

mod pairing;

use axum::extract::State;
use hookbox_core::name::ProviderName;
use hookbox_core::time::Timestamp;
use maud::{Markup, html};

use super::frame::{At, Frame, Page};
use super::{Unshown, parts};
use crate::operator::Api;
use crate::operator::query::Named;
use crate::problem::Problem;
use crate::view::provider::{CountsView, ProviderView};

pub(super) async fn list(State(operator): Api) -> Page {
    let live = operator.providers.load();
    let now = operator.clock.now();
    let view =
        |(name, live): (&ProviderName, _)| ProviderView::of(name, live, operator.tally.of(name), CountsView::brief);
    let views: Vec<ProviderView> = live.all().map(view).collect();
    let refused_last = |name: &ProviderName| operator.tally.of(name).recent.front().map(|turned| turned.at.to_string());
    let last: Vec<Option<String>> = live.all().map(|(name, _)| refused_last(name)).collect();
    let strangers = CountsView::full(operator.tally.strangers());
    Frame::new(At::Providers, "Providers").page(html! {
        h1 { "Providers" }
        p.dim { "Counted since the start of the host." }
        @if views.is_empty() {
            (parts::empty("No provider is live. Name one in hooks.yaml, set its secret, and look what is missing:",
                Some("hookbox check")))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Providers" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Provider" }
                            th scope="col" { "Scheme" }
                            th.number scope="col" { "Accepted" }
                            th.number scope="col" { "Duplicates" }
                            th.number scope="col" { "Refused" }
                            th scope="col" { "Last accepted" }
                            th scope="col" { "Last refused" }
                        }
                    }
                    tbody {
                        @for (provider, last) in views.iter().zip(&last) {
                            tr {
                                td { a href={ "/providers/" (provider.name) } { (provider.name) } }
                                td { (provider.scheme) }
                                td.number { (parts::number(provider.counts.accepted)) }
                                td.number { (parts::number(provider.counts.duplicates)) }
                                td.number { (parts::number(provider.counts.refused.values().sum())) }
                                td { (parts::moment_or_none(provider.counts.last_accepted.as_deref(), now)) }
                                td { (parts::moment_or_none(last.as_deref(), now)) }
                            }
                        }
                    }
                }
            }
        }
        (pairing::section(&operator, &live, now))
        h2 { "Names that no provider has" }
        (refused(&strangers, now))
    })
}

pub(super) async fn show(State(operator): Api, Named(name): Named<ProviderName>) -> Result<Page, Unshown> {
    let live = operator.providers.load();
    let unknown = || Problem::not_found().because(format!("there is no live provider {name}: hookbox check says why"));
    let (name, provider) = live.find(name.as_str()).ok_or_else(unknown)?;
    let view = ProviderView::of(name, provider, operator.tally.of(name), CountsView::full);
    let now = operator.clock.now();
    let title = format!("Provider {}", view.name);
    Ok(Frame::new(At::Providers, &title).page(html! {
        h1 { (title) }
        dl {
            dt { "Scheme" } dd { (view.scheme) }
            dt { "What is signed" } dd { (view.integrity) }
            @if let Some(tolerance) = view.tolerance_ms { dt { "Tolerance" } dd { (tolerance / 1000) " s" } }
            dt { "Accepted" } dd { (parts::number(view.counts.accepted)) }
            dt { "Duplicates" } dd { (parts::number(view.counts.duplicates)) }
            dt { "Last accepted" } dd { (parts::moment_or_none(view.counts.last_accepted.as_deref(), now)) }
        }
        h2 { "Secrets" }
        (secrets(&view, now))
        @if view.counts.last_accepted.is_none() {
            (parts::empty("Nothing was accepted since the host started. Send a webhook that is signed as it would be, or look \
                why one does not verify:",
                Some(&format!("hookbox send {0} --type TYPE\nhookbox verify --provider {0} --body FILE -H 'NAME: VALUE'", view.name))))
        }
        h2 { "Refused" }
        (refused(&view.counts, now))
    }))
}

/// By the places that they are in; none is shown.
fn secrets(view: &ProviderView, now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Secrets" {
            table {
                thead {
                    tr { th scope="col" { "Where it is" } th scope="col" { "Written" } th.number scope="col" { "Deliveries that it signed" } }
                }
                tbody {
                    @for (place, written) in &view.secrets_written {
                        tr {
                            td { code { (place) } }
                            td {
                                @match written {
                                    Some(written) => (parts::moment(written, now)),
                                    None => span.dim { "not known: the environment does not tell" },
                                }
                            }
                            td.number { (parts::number(view.secrets_matched.get(place).copied().unwrap_or_default())) }
                        }
                    }
                }
            }
        }
        p.dim { "Since the host started. One that signed nothing since it was replaced can be taken out." }
    }
}

fn refused(counts: &CountsView, now: Timestamp) -> Markup {
    if counts.refused.is_empty() {
        return html! { p.dim { "Nothing was refused." } };
    }
    html! {
        dl { @for (cause, count) in &counts.refused { dt { (cause) } dd { (parts::number(*count)) } } }
        @if let Some(recent) = &counts.recent_refusals {
            div.scroll tabindex="0" role="region" aria-label="Latest refusals" {
                table {
                    thead { tr { th scope="col" { "When" } th scope="col" { "Cause" } th scope="col" { "Message" } th scope="col" { "From" } } }
                    tbody {
                        @for refusal in recent {
                            tr {
                                td { (parts::moment(&refusal.at, now)) }
                                td { (refusal.cause) }
                                td.message { (refusal.message) }
                                td { (refusal.source) }
                            }
                        }
                    }
                }
            }
        }
    }
}
