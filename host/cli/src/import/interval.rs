//! An interval, and what becomes of `relative`.

use hookbox_core::schedule::{When, ZoneName};
use hookbox_core::time::Millis;

use super::entry::{Entry, Lines, quoted};

const HOURS_OF_A_DAY: u64 = 24;
/// The shortest time that Celery knows, in seconds.
const MICROSECOND: f64 = 1e-6;

impl Entry<'_> {
    pub(super) fn interval(&self, seconds: f64, relative: bool, lines: &mut Lines) -> Result<(), String> {
        if relative { self.relative(seconds, lines) } else { plain(seconds, lines) }
    }

    /// Celery cuts the end of each interval to the whole day, hour, minute or second, by the clock of its zone. The part
    /// of the interval that is less than one is lost with it, each time: 90s are a minute.
    fn relative(&self, seconds: f64, lines: &mut Lines) -> Result<(), String> {
        let units = [Millis::DAY, Millis::HOUR, Millis::MINUTE];
        let unit = units.into_iter().find(|unit| seconds >= in_seconds(*unit)).unwrap_or(Millis::SECOND);
        let count = ((seconds + MICROSECOND / 2.0) / in_seconds(unit)).floor() as u64;
        let period = Millis(unit.0.saturating_mul(count));
        check(period)?;
        let zone = self.timezone()?;
        let by_the_clock = match (unit, count, &zone) {
            (Millis::DAY, 1, _) => Some("daily: \"00:00\""),
            (Millis::HOUR, 1, Some(_)) => Some("hourly: 0"),
            _ => None,
        };
        if let Some(line) = by_the_clock {
            lines.lines.push(line.to_owned());
            lines.lines.extend(zone.map(|zone| format!("timezone: {}", quoted(&zone.to_string()))));
            return Ok(());
        }
        if unit == Millis::HOUR && HOURS_OF_A_DAY.is_multiple_of(count) && zone.is_some() {
            return self.cron(&format!("0 */{count} * * *"), lines);
        }
        lines.lines.push(format!("every: {period}"));
        lines.lines.push("phase: 0s".to_owned());
        let zone = zone.unwrap_or_default();
        if unit == Millis::DAY {
            lines.notes.push(format!(
                "relative with {period}: Celery counts the days from when beat began, to midnight in {zone}; here they \
                 are counted from 1970, to midnight in UTC. Where that matters, write `cron:` with its days and \
                 `timezone:`"
            ));
        } else if unit == Millis::HOUR && zone != ZoneName::default() {
            lines.notes.push(format!(
                "relative with {period}: Celery takes whole hours in {zone}, here they are whole hours in UTC. Where \
                 that matters, write `cron:` with its hours and `timezone:`"
            ));
        }
        Ok(())
    }
}

fn plain(seconds: f64, lines: &mut Lines) -> Result<(), String> {
    let period = millis(seconds);
    check(period)?;
    if (seconds * 1000.0 - period.0 as f64).abs() > MICROSECOND * 1000.0 / 2.0 {
        lines.notes.push(format!("its interval is {seconds}s: `every:` has whole milliseconds"));
    }
    lines.lines.push(format!("every: {period}"));
    Ok(())
}

fn check(period: Millis) -> Result<(), String> {
    let cure = if period < Millis::SECOND { "; a handler that is to run more often loops by itself" } else { "" };
    When::every(period).map(|_| ()).map_err(|error| format!("{error}{cure}"))
}

/// What is no length of time becomes none, which no schedule takes.
pub(super) fn millis(seconds: f64) -> Millis {
    let millis = (seconds * 1000.0).round();
    Millis(if millis.is_finite() && millis > 0.0 { millis as u64 } else { 0 })
}

fn in_seconds(span: Millis) -> f64 {
    span.0 as f64 / 1000.0
}
