//! `--at`: the day on which is judged, since exceptions end.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::policy::day;

/// The day on which is judged.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct AtArg {
    /// Judge as on this day, in UTC: exceptions end. Without it, today.
    #[arg(long, value_name = "DATE", value_parser = date)]
    at: Option<Date>,
}

impl AtArg {
    /// The day.
    pub(crate) fn day(&self) -> Date {
        self.at.unwrap_or_else(today)
    }
}

/// The day that it is, in UTC.
pub(crate) fn today() -> Date {
    Timestamp::now().to_zoned(TimeZone::UTC).date()
}

fn date(text: &str) -> Result<Date, String> {
    day(text).ok_or_else(|| "expected a day, as in 2027-03-31".to_owned())
}
