#![deny(warnings)]
#![deny(unsafe_code, unused_qualifications, unreachable_pub)]

mod handlers {
    use hookbox_sdk::{Bytes, Context, Error, Event, Job, Json, Outcome, Result, Text};
    use hookbox_sdk::{cron, daily, every, every_minutes, hourly, job, monthly, on, weekly};
    use serde::{Deserialize, Serialize};

    #[derive(Serialize, Deserialize)]
    struct Borrowed<'a> {
        name: &'a str,
    }

    #[on("shop/user.created", "github/pull_request.*", timeout = "5s", attempts = 8, backoff = "2s", filter = "data.amount > 1000",)]
    fn everything(_: Text, _: &Context, _: Bytes, Json(_): Json<hookbox_sdk::Value>, _: &Event, _: &[u8], _: &str) {}

    #[on("*/*", name = "another-name", description = "Said here.")]
    fn borrowed(payload: Json<Borrowed<'_>>) -> Json<String> {
        Json(payload.0.name.to_owned())
    }

    #[cron("0 9 * * MON-FRI", tz = "Europe/London")]
    fn outcome() -> Outcome {
        Outcome::skipped("a holiday")
    }

    #[every("90s")]
    fn nothing() {}

    #[every(
        "1h", phase = "0s", start = "2026-12-01T00:00:00Z", end = "2026-12-24T18:00:00+01:00", count = 3, jitter = "30s",
        overlap = "buffer-all:5", missed = "all:10", missed_within = "2h", pause_after = 4, timeout = "5s",
    )]
    fn with_rules() {}

    #[cron("30 0 9 13 * FRI", day_rule = "and")]
    fn both_days() {}

    #[every_minutes(15)]
    fn own_error() -> std::result::Result<(), std::num::ParseIntError> {
        "1".parse::<u8>().map(drop)
    }

    #[hourly]
    fn failing() -> Result<Json<u8>> {
        Err(Error::permanent("always"))
    }

    #[daily("09:00")]
    pub(crate) fn still_a_function() -> alias::Result {
        Ok(Json(1))
    }

    mod alias {
        pub(super) type Result = hookbox_sdk::Result<hookbox_sdk::Json<u8>>;
    }

    #[weekly("MON 09:00")]
    fn of_a_job(_: Job, _: Context, _: Option<Json<u8>>) {}

    #[monthly("1 09:00")]
    fn rent() {}

    #[job(
        backoff_curve = "linear", backoff_max = "5m", priority = "high", concurrency = 4, order_per = "customer.id",
        rate = "10/s", unique_per = "order.id", delay = "1m", expires = "30d",
    )]
    fn r#match() {}

    #[job]
    #[cfg(any())]
    fn left_out(_: NoSuchType) {}
}

fn main() {
    use hookbox_sdk::testing;

    assert_eq!(handlers::still_a_function().unwrap().0, 1);
    let names: Vec<_> = testing::describe().handlers.iter().map(|handler| handler.name).collect();
    let expected = [
        "another-name", "both-days", "everything", "failing", "match", "nothing", "of-a-job", "outcome", "own-error", "rent",
        "still-a-function", "with-rules",
    ];
    assert_eq!(names, expected);
}
