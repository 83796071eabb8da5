//! Schedules. The values of `put` are texts: the host says what is wrong with one.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{ConditionArgs, OnceArgs, PageArgs};

#[derive(Debug, Subcommand)]
pub(crate) enum SchedulesCommand {
    /// All schedules with their next and last firing.
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// One schedule in words, with its rules and counters and its next and last ten slots.
    Show { name: String },
    /// Make a schedule, or put this one in the place of an operator's: what is not given has its default.
    Put(Box<PutArgs>),
    /// Take a schedule away that an operator has made; a plugin's of the same name counts again.
    Remove {
        name: String,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
    /// Fire no slot until it is resumed. Runs that it has made go on.
    Pause {
        name: String,
        /// Why.
        #[arg(long, value_name = "TEXT")]
        note: Option<String>,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
    /// Go on with a schedule that is paused; slots that came meanwhile are not made up for.
    Resume {
        name: String,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
    /// Run a schedule's handler now; its slots and counters stay as they are.
    Run {
        name: String,
        #[command(flatten)]
        once: OnceArgs,
    },
    /// Run each slot of a range that is over, once; the slots and counters stay as they are.
    Backfill(BackfillArgs),
    /// Begin anew at this moment: for a clock that was wrong. Slots after it may run a second time.
    Reset {
        #[arg(required_unless_present = "all")]
        name: Option<String>,
        /// Every schedule whose last slot is later than the host's clock.
        #[arg(long, conflicts_with_all = ["name", "idempotency_key", "if_match"])]
        all: bool,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        once: OnceArgs,
        #[command(flatten)]
        condition: ConditionArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct BackfillArgs {
    pub(crate) name: String,
    /// The first moment, such as 2026-11-20T09:00:00Z.
    #[arg(long, value_name = "TIME")]
    pub(crate) from: String,
    /// The moment after the last one.
    #[arg(long, value_name = "TIME")]
    pub(crate) to: String,
    /// Only count.
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) once: OnceArgs,
}

#[derive(Debug, Args)]
pub(crate) struct PutArgs {
    pub(crate) name: String,

    /// Whose handler runs.
    #[arg(long, value_name = "NAME")]
    pub(crate) plugin: String,

    /// The handler: one with a schedule, or with none.
    #[arg(long, value_name = "NAME")]
    pub(crate) handler: String,

    #[command(flatten)]
    pub(crate) when: WhenArgs,

    #[command(flatten)]
    pub(crate) rules: RuleArgs,

    /// What its jobs carry: JSON.
    #[arg(long, value_name = "JSON", conflicts_with = "payload_file")]
    pub(crate) payload: Option<String>,

    /// A file with that, or - for the standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) payload_file: Option<PathBuf>,

    /// Only say when it would fire.
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) once: OnceArgs,
    #[command(flatten)]
    pub(crate) condition: ConditionArgs,
}

/// One of the first eight.
#[derive(Debug, Args)]
pub(crate) struct WhenArgs {
    /// Five fields in quotes, six with the seconds first, or an alias such as @daily.
    #[arg(long, value_name = "EXPR", allow_hyphen_values = true)]
    pub(crate) cron: Option<String>,
    /// An interval: 1s to 365d.
    #[arg(long, value_name = "SPAN")]
    pub(crate) every: Option<String>,
    /// At the clock's full 15, 30, ... minutes; must divide 60.
    #[arg(long, value_name = "MINUTES")]
    pub(crate) every_minutes: Option<String>,
    /// At this minute of each hour.
    #[arg(long, value_name = "MINUTE")]
    pub(crate) hourly: Option<String>,
    /// Such as 09:00.
    #[arg(long, value_name = "TIME")]
    pub(crate) daily: Option<String>,
    /// Such as "MON 09:00".
    #[arg(long, value_name = "DAY TIME")]
    pub(crate) weekly: Option<String>,
    /// Such as "1 09:00", or "L 09:00" for the last day.
    #[arg(long, value_name = "DAY TIME")]
    pub(crate) monthly: Option<String>,
    /// Once, such as 2026-11-20T09:00:00Z.
    #[arg(long, value_name = "RFC3339")]
    pub(crate) at: Option<String>,

    /// The time zone; UTC unless given.
    #[arg(long = "tz", value_name = "ZONE")]
    pub(crate) timezone: Option<String>,
    /// With --cron, where both day fields say something: or (either will do), and (both must match).
    #[arg(long, value_name = "RULE")]
    pub(crate) day_rule: Option<String>,
    /// With --every: so long after whole periods since 1970, whenever it is made.
    #[arg(long, value_name = "SPAN")]
    pub(crate) phase: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RuleArgs {
    /// No slot before this time.
    #[arg(long, value_name = "RFC3339")]
    pub(crate) start: Option<String>,
    /// No slot at this time or later.
    #[arg(long, value_name = "RFC3339")]
    pub(crate) end: Option<String>,
    /// End after so many slots that made a run.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) count: Option<String>,
    /// Put each slot off by up to this; by how much is the schedule's own, and always the same.
    #[arg(long, value_name = "SPAN")]
    pub(crate) jitter: Option<String>,
    /// While a run of it is alive: skip, buffer-one, buffer-all, buffer-all:5, allow or cancel-running.
    #[arg(long, value_name = "RULE")]
    pub(crate) overlap: Option<String>,
    /// Of missed slots, make up for none, latest, all, or all:5 for the latest five.
    #[arg(long, value_name = "RULE")]
    pub(crate) missed: Option<String>,
    /// For those that are late by at most this; 1d unless given.
    #[arg(long, value_name = "SPAN")]
    pub(crate) missed_within: Option<String>,
    /// Pause it after so many runs in a row that failed for good.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) pause_after: Option<String>,
    /// Of an attempt, in place of the handler's own.
    #[arg(long, value_name = "SPAN")]
    pub(crate) timeout: Option<String>,
    /// Of a run, in place of the handler's own.
    #[arg(long, value_name = "NUMBER")]
    pub(crate) attempts: Option<String>,
    /// After the first failure, in place of the handler's own.
    #[arg(long, value_name = "SPAN")]
    pub(crate) backoff: Option<String>,
    /// How the waits after it grow, in place of the handler's own: exponential, linear or constant.
    #[arg(long, value_name = "CURVE")]
    pub(crate) backoff_curve: Option<String>,
    /// No wait is longer, in place of the handler's own.
    #[arg(long, value_name = "SPAN")]
    pub(crate) backoff_max: Option<String>,
}
