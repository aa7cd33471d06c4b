//! Outcomes of calls: the closed set behind the label `outcome`.

use tracing::Level;

use crate::rules::Skipped;

/// The outcome of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::VariantArray, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Outcome {
    /// The server or the other program accepted it.
    Done,
    /// The object that it would create exists.
    Already,
    /// The stream closed before the call was made.
    Gone,
    /// Every attempt failed.
    Failed,
    /// The request is invalid, or the server has no API.
    Rejected,
    /// The condition of the rule is not true, or no longer.
    Condition,
    /// The rule acted for the same stream within its cooldown.
    Cooldown,
    /// The rule made as many calls within the last minute as its `max_per_minute` allows.
    RateLimited,
    /// The stall ended, or the server announced that it stops, before the call was made.
    Unproven,
    /// The event exceeded `actions.max_age` before the call was made.
    TooOld,
    /// The queue was full.
    QueueFull,
    /// A dry run: the call is only logged.
    DryRun,
    /// The exporter stopped first.
    Shutdown,
}

impl Outcome {
    /// The outcome of a call for which no request is sent.
    pub(super) const fn of_skipped(why: &Skipped) -> Self {
        match why {
            Skipped::Condition(_) => Self::Condition,
            Skipped::Template { .. } | Skipped::Large | Skipped::Unsendable(_) => Self::Rejected,
        }
    }

    /// The value of the label `outcome`.
    pub fn label(self) -> &'static str {
        self.into()
    }

    /// The level at which it is logged.
    pub(super) const fn level(self) -> Level {
        match self {
            Self::Failed | Self::Rejected | Self::TooOld | Self::QueueFull | Self::Shutdown => Level::WARN,
            Self::Done | Self::Already | Self::Gone | Self::DryRun => Level::INFO,
            // The queue warns of a rate limit once.
            Self::Condition | Self::Cooldown | Self::RateLimited | Self::Unproven => Level::DEBUG,
        }
    }
}
