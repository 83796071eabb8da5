//! What a list of runs shows of each.

use hookbox_core::run::{Run, Work};
use hookbox_core::time::Timestamp;
use maud::{Markup, html};

use super::Given;
use crate::operator::Operator;
use crate::operator::found::LOOK_FOR;
use crate::operator::runs::{Old, work_of};
use crate::operator::sort::{By, Sort};
use crate::operator::ui::{chart, parts};
use crate::problem::Problem;
use crate::view::run::{RunView, result_of};

/// Letters of a result that are shown.
const RESULT_LETTERS: usize = 120;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Column {
    Run,
    Handler,
    State,
    Created,
    Started,
    Ended,
    Duration,
    Attempts,
    Cpu,
    Memory,
    Version,
    Source,
    Topic,
    Size,
    Result,
    Message,
}

const ALL: [Column; 16] = [
    Column::Run,
    Column::Handler,
    Column::State,
    Column::Created,
    Column::Started,
    Column::Ended,
    Column::Duration,
    Column::Attempts,
    Column::Cpu,
    Column::Memory,
    Column::Version,
    Column::Source,
    Column::Topic,
    Column::Size,
    Column::Result,
    Column::Message,
];
const USUAL: [Column; 7] =
    [Column::Run, Column::Handler, Column::State, Column::Created, Column::Ended, Column::Attempts, Column::Message];

/// What is shown, in the order of all columns.
pub(in crate::operator) struct Columns(Vec<Column>);

impl Default for Columns {
    fn default() -> Columns {
        Columns(USUAL.to_vec())
    }
}

impl Column {
    fn code(self) -> &'static str {
        match self {
            Column::Run => "run",
            Column::Handler => "handler",
            Column::State => "state",
            Column::Created => "created",
            Column::Started => "started",
            Column::Ended => "ended",
            Column::Duration => "duration",
            Column::Attempts => "attempts",
            Column::Cpu => "cpu",
            Column::Memory => "memory",
            Column::Version => "version",
            Column::Source => "source",
            Column::Topic => "topic",
            Column::Size => "size",
            Column::Result => "result",
            Column::Message => "message",
        }
    }

    fn heading(self) -> &'static str {
        match self {
            Column::Run => "Run",
            Column::Handler => "Handler",
            Column::State => "State",
            Column::Created => "Made",
            Column::Started => "Started",
            Column::Ended => "Ended or due",
            Column::Duration => "Took",
            Column::Attempts => "Attempts",
            Column::Cpu => "CPU",
            Column::Memory => "Memory",
            Column::Version => "Version",
            Column::Source => "From",
            Column::Topic => "Type",
            Column::Size => "Payload",
            Column::Result => "Result",
            Column::Message => "Last message",
        }
    }

    fn sorted_by(self) -> Option<By> {
        By::ALL.into_iter().find(|by| by.code() == self.code())
    }

    fn is_number(self) -> bool {
        matches!(self, Column::Duration | Column::Attempts | Column::Cpu | Column::Memory | Column::Size)
    }
}

impl Columns {
    /// Those that are named, each in a value of its own or several with commas between them. Names that are not known are
    /// left out: a bookmark of another release must not fail.
    pub(super) fn of<'a>(texts: impl Iterator<Item = &'a str>) -> Columns {
        let named: Vec<&str> = texts.flat_map(|text| text.split(',')).collect();
        let wanted: Vec<Column> = ALL.into_iter().filter(|column| named.contains(&column.code())).collect();
        if wanted.is_empty() { Columns::default() } else { Columns(wanted) }
    }

    /// Fails where one is not known.
    pub(in crate::operator) fn check(text: &str) -> Result<(), Problem> {
        let is_known = |name: &str| ALL.iter().any(|column| column.code() == name);
        match text.split(',').find(|name| !is_known(name)) {
            None => Ok(()),
            Some(unknown) => {
                let (unknown, known): (String, _) =
                    (unknown.chars().take(40).collect(), ALL.map(Column::code).join(", "));
                Err(Problem::bad_parameter().because(format!("columns: {unknown:?} is not known; known: {known}")))
            }
        }
    }

    fn has(&self, column: Column) -> bool {
        self.0.contains(&column)
    }
}

/// What is not in the rows of runs; it is looked up for those columns only that are shown.
#[derive(Default)]
struct More {
    source: String,
    topic: String,
    bytes: Option<usize>,
    result: String,
}

/// Runs with what is shown of them.
pub(super) struct Rows(Vec<(RunView, More)>);

impl Rows {
    pub(super) async fn of(operator: &Operator, runs: &[Run], columns: &Columns) -> Result<Rows, Problem> {
        let begun = operator.clock.monotonic();
        let with_work = [Column::Source, Column::Topic, Column::Size].into_iter().any(|column| columns.has(column));
        let mut rows = Vec::new();
        for run in runs {
            let mut more = More::default();
            // A page must not take long for some that are large.
            let is_time = operator.clock.monotonic().since(begun) < LOOK_FOR;
            if with_work && is_time {
                more.look_at(work_of(operator, run).await?.as_ref(), run);
            }
            if columns.has(Column::Result) && is_time && run.status().is_terminal() {
                more.result = operator.store.run(run.id).await.ok().as_ref().map(excerpt).unwrap_or_default();
            }
            rows.push((RunView::of(run), more));
        }
        Ok(Rows(rows))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl More {
    fn look_at(&mut self, work: Option<&Old>, run: &Run) {
        match (work, run.work) {
            (Some(Old::Event(event)), _) => {
                (self.source, self.topic) = (event.source.to_string(), event.event_type.clone());
                self.bytes = Some(event.payload().len());
            }
            (Some(Old::Job(job)), _) => {
                (self.source, self.bytes) = (crate::view::run::origin_of(job), Some(job.data.len()));
            }
            (None, Work::Event(_) | Work::Job(_)) => "pruned".clone_into(&mut self.source),
        }
    }
}

/// The beginning of a result that is text.
fn excerpt(run: &Run) -> String {
    let Some(output) = result_of(run) else { return String::new() };
    let beginning = output.data.get(..4 * RESULT_LETTERS).unwrap_or(&output.data);
    let text = String::from_utf8_lossy(beginning);
    let short: String = text.chars().take(RESULT_LETTERS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if short.len() < output.data.len() { format!("{short}...") } else { short }
}

/// Without headings that sort, for a few runs.
pub(in crate::operator::ui) fn plain_table(runs: &[RunView], now: Timestamp) -> Markup {
    let columns = Columns::default();
    let none = More::default();
    let headings =
        html! { @for column in &columns.0 { th.number[column.is_number()] scope="col" { (column.heading()) } } };
    table(&columns, &headings, runs.iter().map(|run| (run, &none)), now)
}

/// By each heading runs can be sorted; by that which they are, the other way.
pub(super) fn sortable_table(rows: &Rows, columns: &Columns, given: &Given, sort: Sort, now: Timestamp) -> Markup {
    let headings = html! {
        @for column in &columns.0 {
            @match column.sorted_by() {
                Some(by) => (sorted(*column, by, given, sort)),
                None => th.number[column.is_number()] scope="col" { (column.heading()) },
            }
        }
    };
    table(columns, &headings, rows.0.iter().map(|(run, more)| (run, more)), now)
}

fn sorted(column: Column, by: By, given: &Given, sort: Sort) -> Markup {
    let is_this = sort.by == by;
    // Names from A on, and of all else the greatest or latest.
    let usual = !matches!(by, By::Handler | By::State);
    let other = Sort { by, is_descending: if is_this { !sort.is_descending } else { usual } };
    let (said, arrow) = if sort.is_descending { ("descending", "\u{2193}") } else { ("ascending", "\u{2191}") };
    html! {
        th.number[column.is_number()] scope="col" aria-sort=[is_this.then_some(said)] {
            a href=(given.and("sort", &other.to_string())) {
                (column.heading()) @if is_this { " " span aria-hidden="true" { (arrow) } }
            }
        }
    }
}

fn table<'a>(
    columns: &Columns,
    headings: &Markup,
    rows: impl Iterator<Item = (&'a RunView, &'a More)>,
    now: Timestamp,
) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Runs" {
            table {
                thead { tr { (headings) } }
                tbody { @for (run, more) in rows { tr { @for column in &columns.0 { (cell(*column, run, more, now)) } } } }
            }
        }
    }
}

fn cell(column: Column, run: &RunView, more: &More, now: Timestamp) -> Markup {
    let span = |us: Option<u64>| us.map_or_else(|| "-".to_owned(), |us| chart::duration(us as f64));
    html! {
        @match column {
            Column::Run => td { (parts::id("/runs", &run.id)) },
            Column::Handler => td { (run.plugin) "/" (run.handler) },
            Column::State => td {
                (parts::state(run.state)) @if let Some(cause) = run.cause { " " span.dim { (cause) } }
            },
            Column::Created => td { (parts::moment(&run.created, now)) },
            Column::Started => td { (parts::moment_or_none(run.started.as_deref(), now)) },
            Column::Ended => td { (parts::moment_or_none(run.finished.as_deref().or(run.due.as_deref()), now)) },
            Column::Duration => td.number { (span(run.wall_us)) },
            Column::Attempts => td.number { (run.attempts_begun) },
            Column::Cpu => td.number { (span(run.cpu_us)) },
            Column::Memory => td.number { (run.memory_peak_bytes.map_or_else(|| "-".to_owned(), parts::bytes)) },
            Column::Version => td {
                @if let Some(version) = &run.version {
                    a.id href={ "/plugins/" (run.plugin) } title=(version) { (version.get(..19).unwrap_or(version)) }
                } @else { span.none { "-" } }
            },
            Column::Source => td { (more.source) },
            Column::Topic => td { (more.topic) },
            Column::Size => td.number { (more.bytes.map_or_else(|| "-".to_owned(), |bytes| parts::bytes(bytes as u64))) },
            Column::Result => td.message { (more.result) },
            Column::Message => td.message { (run.last_message.as_deref().unwrap_or_default()) },
        }
    }
}

/// Which columns are shown, kept in the address and with it in searches.
pub(super) fn form(columns: &Columns, given: &Given) -> Markup {
    html! {
        details.more #columns {
            summary { "Columns" }
            form.filter method="get" action="/runs" aria-label="Columns" {
                @for (name, value) in given.kept().filter(|(name, _)| *name != "columns") {
                    input type="hidden" name=(name) value=(value);
                }
                @for column in ALL {
                    label.check {
                        input type="checkbox" name="columns" value=(column.code()) checked[columns.has(column)];
                        " " (column.heading())
                    }
                }
                button type="submit" { "Show these" }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_together_or_one_by_one() {
        let of = |texts: &[&str]| Columns::of(texts.iter().copied()).0;
        assert_eq!(of(&[]), USUAL);
        assert_eq!(of(&["state,run"]), [Column::Run, Column::State]);
        assert_eq!(of(&["state", "run"]), [Column::Run, Column::State]);
        assert_eq!(of(&["state,of-another-release"]), [Column::State]);
        assert_eq!(of(&["of-another-release"]), USUAL);
        assert!(Columns::check("run,cpu").is_ok() && Columns::check("run,").is_err());
    }
}
