//! A connection's heartbeat, against a list of all its events.

use core::time::Duration;

use anet::heartbeat::{Action, Heartbeat, Pulse};
use proptest::{
    collection::vec,
    prelude::{Just, Strategy, prop_oneof},
    prop_assert_eq, proptest,
};

use super::{Scale, config, scales};

#[derive(Clone, Copy, Debug)]
enum Beat {
    /// A byte arrives.
    Received,
    /// The caller polls the heartbeat.
    Tick,
}

/// The list of all events; the next action is found by looking back.
struct History {
    interval: Duration,
    misses: usize,
    events: Vec<(Duration, Beat)>,
}

impl History {
    fn pings_since_byte(&self) -> usize {
        self.events.iter().rev().take_while(|event| matches!(event.1, Beat::Tick)).count()
    }

    /// Ticks are kept only where they made a ping, so the last event began the interval.
    fn tick(&mut self, now: Duration) -> Action {
        let until = self.events.last().unwrap().0.saturating_add(self.interval);
        if now < until {
            return Action::Wait { until };
        }
        if self.pings_since_byte() == self.misses {
            return Action::Dead;
        }
        self.events.push((now, Beat::Tick));
        Action::SendPing
    }
}

fn beats() -> impl Strategy<Value = Beat> {
    prop_oneof![1 => Just(Beat::Received), 4 => Just(Beat::Tick)]
}

proptest! {
    #![proptest_config(config())]

    /// At clock readings in any order.
    #[test]
    fn a_heartbeat_follows_from_what_happened(
        base in scales(),
        interval_ms in 1..50_u64,
        misses in 1..6_u8,
        script in vec((0..200_u64, beats()), 0..100),
    ) {
        let scale = Scale { unit: Duration::from_millis(1), ..base };
        let interval = Duration::from_millis(interval_ms);
        let start = scale.time(0);
        let mut pulse = Heartbeat::new(interval, misses).unwrap().start(start);
        let events = vec![(start, Beat::Received)];
        let mut history = History { interval, misses: misses.into(), events };
        for (now, beat) in script {
            let now = scale.time(now);
            match beat {
                Beat::Tick => prop_assert_eq!(pulse.tick(now), history.tick(now)),
                Beat::Received => {
                    pulse.received(now);
                    history.events.push((now, beat));
                }
            }
            prop_assert_eq!(usize::from(pulse.outstanding()), history.pings_since_byte());
        }
    }

    /// Polled with these delays, a silent peer gets all its pings and is dead no earlier than promised, and no later
    /// than the sum of the delays.
    #[test]
    fn a_silent_peer_dies_on_time(interval_ms in 1..1000_u64, misses in 1..=255_u8, late_ms in vec(0..5_u64, 256)) {
        let interval = Duration::from_millis(interval_ms);
        let mut pulse: Pulse = Heartbeat::new(interval, misses).unwrap().start(Duration::ZERO);
        let mut late = Duration::ZERO;
        for &delay in &late_ms[..misses.into()] {
            let delay = Duration::from_millis(delay);
            late += delay;
            prop_assert_eq!(pulse.tick(pulse.deadline() + delay), Action::SendPing);
        }
        let death = interval * (u32::from(misses) + 1) + late;
        prop_assert_eq!(pulse.deadline(), death);
        prop_assert_eq!(pulse.tick(death - Duration::from_nanos(1)), Action::Wait { until: death });
        prop_assert_eq!(pulse.tick(death), Action::Dead);
    }
}
