//! A circuit breaker: calls to a server whose API does not answer are paused, then one call probes it.

use std::time::Duration;

use tokio::time::Instant;

/// How many failures in a row open the circuit.
const FAILURES: u32 = 5;
/// The first pause; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How long other calls wait while one call probes the server.
const PROBED: Duration = Duration::from_millis(250);

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Permission {
    Go,
    Wait(Instant),
}

/// The state of calls to one server.
#[derive(Debug, Default)]
pub(super) struct Circuit {
    failures: u32,
    pause: Duration,
    /// Until when no call is made, while it is open.
    until: Option<Instant>,
    probing: bool,
}

impl Circuit {
    pub(super) const fn is_open(&self) -> bool {
        self.until.is_some()
    }

    /// Whether a call may be made now; `succeeded` or `failed` must follow.
    pub(super) fn request(&mut self, now: Instant) -> Permission {
        match self.until {
            None => Permission::Go,
            Some(until) if now < until => Permission::Wait(until),
            Some(_) if self.probing => Permission::Wait(now + PROBED),
            Some(_) => {
                self.probing = true;
                Permission::Go
            }
        }
    }

    /// The server answered, whatever its answer.
    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// The server did not answer.
    pub(super) fn failed(&mut self, now: Instant) {
        self.failures += 1;
        // Calls that were in progress when it opened add no information.
        let counts = self.until.is_none() || self.probing;
        if self.failures >= FAILURES && counts {
            self.pause = (self.pause * 2).clamp(FIRST_PAUSE, LONGEST_PAUSE);
            self.until = Some(now + self.pause);
            self.probing = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_after_failures_in_a_row_and_lets_one_call_probe() {
        let (mut circuit, start) = (Circuit::default(), Instant::now());
        for _ in 0..FAILURES - 1 {
            circuit.failed(start);
        }
        circuit.succeeded();
        for _ in 0..FAILURES - 1 {
            circuit.failed(start);
            assert_eq!(circuit.request(start), Permission::Go);
        }
        let mut until = start;
        for pause in [1, 2, 4, 8, 16, 30, 30] {
            let now = until;
            circuit.failed(now);
            until = now + Duration::from_secs(pause);
            assert!(circuit.is_open());
            assert_eq!(circuit.request(now), Permission::Wait(until));
            circuit.failed(now);
            assert_eq!(circuit.request(now), Permission::Wait(until), "a late failure changes nothing");
            assert_eq!(circuit.request(until), Permission::Go);
            assert_eq!(circuit.request(until), Permission::Wait(until + PROBED));
        }
        circuit.succeeded();
        assert_eq!(circuit.request(start), Permission::Go);
        assert!(!circuit.is_open());
    }
}
