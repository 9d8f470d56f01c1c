//! [`Probe`]: whether to make a call that may find nothing.
//!
//! Pure: it depends only on what earlier calls found.

/// Schedules a call that saves work if it finds something and costs time if it does not: make it as long as it pays,
/// and after [`PATIENCE`] calls that found nothing only now and then, to see whether it pays again.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Probe {
    /// How often in a row it found nothing, as far as that matters.
    in_vain: u8,
    /// How many more times to skip it.
    left_out: u8,
}

/// How often in a row a call may find nothing before it is skipped.
const PATIENCE: u8 = 2;
/// It is skipped at most `2^LONGEST` times in a row.
const LONGEST: u8 = 4;

impl Probe {
    /// A probe without history, which makes every call.
    pub(crate) const fn new() -> Self {
        Self { in_vain: 0, left_out: 0 }
    }

    /// Whether to make the call this time.
    pub(crate) const fn is_due(&mut self) -> bool {
        let due = self.left_out == 0;
        self.left_out = self.left_out.saturating_sub(1);
        due
    }

    /// Records whether the call found anything.
    pub(crate) const fn learn(&mut self, found: bool) {
        if found {
            *self = Self::new();
        } else if self.in_vain < PATIENCE {
            self.in_vain += 1;
        } else {
            let doublings = self.in_vain + 1 - PATIENCE;
            self.left_out = 1 << doublings;
            self.in_vain += (doublings < LONGEST) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    /// How often the call is skipped between those that are made.
    fn gaps(probe: &mut Probe, calls: usize) -> Vec<u32> {
        let gap = |probe: &mut Probe| {
            let gap = (0..).find(|_| probe.is_due()).unwrap();
            probe.learn(false);
            gap
        };
        (0..calls).map(|_| gap(probe)).collect()
    }

    #[test]
    fn a_call_that_finds_nothing_is_made_ever_less_often_but_never_given_up() {
        assert_eq!(gaps(&mut Probe::new(), 9), [0, 0, 0, 2, 4, 8, 16, 16, 16]);
    }

    #[test]
    fn one_success_resets_the_probe() {
        let mut probe = Probe::new();
        gaps(&mut probe, 9);
        probe.learn(true);
        assert_eq!(gaps(&mut probe, 4), [0, 0, 0, 2]);
    }

    #[test]
    fn a_call_that_pays_is_made_every_time() {
        let mut probe = Probe::new();
        for _ in 0..100 {
            assert!(probe.is_due());
            probe.learn(true);
        }
    }
}
