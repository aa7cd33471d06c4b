//! What becomes of a call: the closed set behind the label `outcome`.

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server, or the other program, took it.
    Done,
    /// What it would have made is there already.
    Already,
    /// The stream went before it could be made.
    Gone,
    /// It was tried in vain.
    Failed,
    /// It cannot be written, or the server has no API.
    Refused,
    /// A condition does not hold, or does not any more.
    Condition,
    /// The same was done for the stream a little before.
    Cooldown,
    /// The event had become too old before anything could be done.
    TooOld,
    /// Too much waits already.
    QueueFull,
    /// It is only told what would be done.
    DryRun,
    /// The exporter stopped before.
    Shutdown,
}

impl Outcome {
    /// Every outcome, in the order of the metrics.
    pub const ALL: [Self; 11] = [
        Self::Done,
        Self::Already,
        Self::Gone,
        Self::Failed,
        Self::Refused,
        Self::Condition,
        Self::Cooldown,
        Self::TooOld,
        Self::QueueFull,
        Self::DryRun,
        Self::Shutdown,
    ];

    /// The value of the label `outcome`.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Already => "already",
            Self::Gone => "gone",
            Self::Failed => "failed",
            Self::Refused => "refused",
            Self::Condition => "condition",
            Self::Cooldown => "cooldown",
            Self::TooOld => "too_old",
            Self::QueueFull => "queue_full",
            Self::DryRun => "dry_run",
            Self::Shutdown => "shutdown",
        }
    }

    /// How loudly it is logged.
    pub(super) const fn severity(self) -> Severity {
        match self {
            Self::Failed | Self::Refused | Self::TooOld | Self::QueueFull | Self::Shutdown => Severity::Warn,
            Self::Done | Self::Already | Self::Gone | Self::DryRun => Severity::Info,
            Self::Condition | Self::Cooldown => Severity::Debug,
        }
    }
}

/// How much an outcome matters to an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Severity {
    /// Something should be looked at.
    Warn,
    /// Something was done, or would have been.
    Info,
    /// There was nothing to do.
    Debug,
}
