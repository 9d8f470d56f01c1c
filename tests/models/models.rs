//! The state machines without system calls, against models simple enough to be obviously right.

mod admission;
mod coalescer;
mod heartbeat;
#[cfg(target_os = "linux")]
mod netlink;
#[cfg(target_os = "linux")]
mod pinger;
mod race;
mod timers;

use core::time::Duration;

use proptest::{
    prelude::{Just, ProptestConfig, Strategy, any, prop_oneof},
    test_runner::RngSeed,
};

/// The same cases in every run.
fn config() -> ProptestConfig {
    ProptestConfig { cases: 1000, rng_seed: RngSeed::Fixed(20), failure_persistence: None, ..ProptestConfig::default() }
}

/// Maps the numbers of a script to times: near both ends of the range, in small and large units.
#[derive(Clone, Copy, Debug)]
struct Scale {
    base: Duration,
    unit: Duration,
}

impl Scale {
    fn time(self, units: u64) -> Duration {
        self.base.saturating_add(self.span(units))
    }

    fn span(self, units: u64) -> Duration {
        self.unit.saturating_mul(units as u32)
    }
}

fn scales() -> impl Strategy<Value = Scale> {
    let base = prop_oneof![
        Just(Duration::ZERO),
        any::<u64>().prop_map(Duration::from_nanos),
        (0..300_u64).prop_map(|nanos| Duration::MAX - Duration::from_nanos(nanos)),
        (0..300_u64).prop_map(|seconds| Duration::MAX - Duration::from_secs(seconds)),
    ];
    let nano = Duration::from_nanos(1);
    let units = vec![nano, Duration::from_millis(1), Duration::from_secs(1), Duration::MAX / 256, Duration::MAX / 3];
    (base, proptest::sample::select(units)).prop_map(|(base, unit)| Scale { base, unit })
}
