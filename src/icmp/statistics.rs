//! [`Statistics`]: how a target has answered.

use core::{fmt, time::Duration};

/// How a target has answered so far.
///
/// Its text is that of `ping(8)`: counts, and the shortest, mean and longest round-trip time with their standard
/// deviation.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub struct Statistics {
    /// Requests sent.
    pub sent: u32,
    /// Requests that were answered.
    pub received: u32,
    /// Further replies to an answered request.
    pub duplicates: u32,
    /// Requests that have failed: an error arrived, or they could not be sent.
    pub errors: u32,
    /// The shortest round-trip time.
    pub rtt_min: Duration,
    /// The longest round-trip time.
    pub rtt_max: Duration,
    /// In nanoseconds.
    pub(super) sum: u128,
    pub(super) sum_of_squares: u128,
}

impl Statistics {
    pub(super) fn add(&mut self, rtt: Duration) {
        self.rtt_min = if self.received == 0 { rtt } else { self.rtt_min.min(rtt) };
        self.rtt_max = self.rtt_max.max(rtt);
        self.received = self.received.saturating_add(1);
        let nanoseconds = u128::from(u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX));
        self.sum = self.sum.saturating_add(nanoseconds);
        self.sum_of_squares = self.sum_of_squares.saturating_add(nanoseconds * nanoseconds);
    }

    /// The mean round-trip time; `None` without a reply.
    pub fn rtt_mean(&self) -> Option<Duration> {
        self.sum.checked_div(self.received.into()).map(whole_nanoseconds)
    }

    /// The standard deviation of the round-trip time; `None` without a reply.
    #[doc(alias = "mdev")]
    pub fn rtt_deviation(&self) -> Option<Duration> {
        let count = u128::from(self.received);
        let mean = self.sum.checked_div(count)?;
        let mean_of_squares = self.sum_of_squares.checked_div(count)?;
        Some(whole_nanoseconds(mean_of_squares.saturating_sub(mean.saturating_mul(mean)).isqrt()))
    }

    /// The share of requests without a reply, in percent.
    pub fn loss_percent(&self) -> u32 {
        let lost = u64::from(self.sent.saturating_sub(self.received));
        (lost * 100).checked_div(self.sent.into()).unwrap_or(0) as u32
    }
}

fn whole_nanoseconds(number: u128) -> Duration {
    Duration::from_nanos(u64::try_from(number).unwrap_or(u64::MAX))
}

/// `3 packets transmitted, 3 received, 0% packet loss`, and with replies a line
/// `rtt min/avg/max/mdev = 0.020/0.030/0.040/0.008 ms`.
impl fmt::Display for Statistics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} packets transmitted, {} received, ", self.sent, self.received)?;
        if self.duplicates > 0 {
            write!(f, "+{} duplicates, ", self.duplicates)?;
        }
        if self.errors > 0 {
            write!(f, "+{} errors, ", self.errors)?;
        }
        write!(f, "{}% packet loss", self.loss_percent())?;
        let (Some(mean), Some(deviation)) = (self.rtt_mean(), self.rtt_deviation()) else { return Ok(()) };
        let [min, mean, max, deviation] = [self.rtt_min, mean, self.rtt_max, deviation].map(Milliseconds);
        write!(f, "\nrtt min/avg/max/mdev = {min}/{mean}/{max}/{deviation} ms")
    }
}

/// With three decimals, cut as `ping(8)` does.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}", micros / 1000, micros % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    #[test]
    fn the_text_is_that_of_ping() {
        let mut statistics = Statistics { sent: 4, ..Statistics::default() };
        assert_eq!(statistics.to_string(), "4 packets transmitted, 0 received, 100% packet loss");
        for micros in [1000, 2000, 3000] {
            statistics.add(Duration::from_micros(micros));
        }
        (statistics.duplicates, statistics.errors) = (1, 2);
        assert_eq!(
            statistics.to_string(),
            "4 packets transmitted, 3 received, +1 duplicates, +2 errors, 25% packet loss\n\
             rtt min/avg/max/mdev = 1.000/2.000/3.000/0.816 ms"
        );
    }
}
