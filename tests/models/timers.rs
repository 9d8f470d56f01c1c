//! Timers, against a list that is searched from end to end.

use core::time::Duration;

use anet::event::{Expired, TimerError, TimerId, TimerSlot, Timers};
use proptest::{
    collection::vec,
    prelude::{Strategy, any, prop_oneof},
    prop_assert, prop_assert_eq, proptest,
    sample::Index,
    test_runner::TestCaseError,
};

use super::{Scale, config, scales};

const ROOM: usize = 9;

#[derive(Clone, Debug)]
enum Step {
    At {
        deadline: u64,
    },
    Every {
        first: u64,
        period: u64,
    },
    /// An index into all timers made so far.
    Cancel {
        which: Index,
    },
    /// Moves the clock to any reading, also backwards, and takes out a few due timers.
    Clock {
        now: u64,
        pops: usize,
    },
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..100_u64).prop_map(|deadline| Step::At { deadline }),
        2 => (0..100_u64, 0..20_u64).prop_map(|(first, period)| Step::Every { first, period }),
        2 => any::<Index>().prop_map(|which| Step::Cancel { which }),
        3 => (0..120_u64, 0..12_usize).prop_map(|(now, pops)| Step::Clock { now, pops }),
    ]
}

#[derive(Default)]
struct Model {
    timers: Vec<Timer>,
    made: u64,
}

struct Timer {
    deadline: Duration,
    period: Duration,
    key: u64,
}

impl Model {
    fn insert(&mut self, deadline: Duration, period: Option<Duration>) -> Result<u64, TimerError> {
        if period == Some(Duration::ZERO) {
            return Err(TimerError::ZeroPeriod);
        }
        if self.timers.len() == ROOM {
            return Err(TimerError::Full);
        }
        self.made += 1;
        self.timers.push(Timer { deadline, period: period.unwrap_or_default(), key: self.made });
        Ok(self.made)
    }

    fn cancel(&mut self, key: u64) -> Option<u64> {
        let index = self.timers.iter().position(|timer| timer.key == key)?;
        Some(self.timers.remove(index).key)
    }

    /// Keys are assigned in order of creation and break ties between equal deadlines.
    fn earliest(&self) -> Option<(Duration, u64)> {
        self.timers.iter().map(|timer| (timer.deadline, timer.key)).min()
    }

    fn pop_expired(&mut self, now: Duration) -> Option<(Duration, u64)> {
        let (deadline, key) = self.earliest().filter(|earliest| earliest.0 <= now)?;
        let index = self.timers.iter().position(|timer| timer.key == key).unwrap();
        let mut timer = self.timers.remove(index);
        while timer.deadline <= now && !timer.period.is_zero() {
            let Some(next) = timer.deadline.checked_add(timer.period) else { return Some((deadline, key)) };
            timer.deadline = next;
        }
        if timer.deadline > now {
            self.timers.push(timer);
        }
        Some((deadline, key))
    }
}

/// Runs a script; the timers must match the model.
fn compare<S>(timers: &mut Timers<S>, scale: Scale, script: &[Step]) -> Result<(), TestCaseError>
where
    S: AsRef<[TimerSlot]> + AsMut<[TimerSlot]>,
{
    let mut model = Model::default();
    let mut ids: Vec<(TimerId, u64)> = Vec::new();
    let mut now = scale.base;
    for step in script {
        let key = model.made + 1;
        match *step {
            Step::At { deadline } => {
                let deadline = scale.time(deadline);
                let made = timers.insert_at(deadline, key);
                prop_assert_eq!(made.map(|_| key), model.insert(deadline, None));
                ids.extend(made.map(|id| (id, key)));
            }
            Step::Every { first, period } => {
                let (first, period) = (scale.time(first), scale.span(period));
                let made = timers.insert_every(first, period, key);
                prop_assert_eq!(made.map(|_| key), model.insert(first, Some(period)));
                ids.extend(made.map(|id| (id, key)));
            }
            Step::Cancel { which } => {
                if !ids.is_empty() {
                    let (id, key) = ids[which.index(ids.len())];
                    prop_assert_eq!(timers.cancel(id), model.cancel(key));
                }
            }
            Step::Clock { now: reading, pops } => {
                now = scale.time(reading);
                for _ in 0..pops {
                    let expired = timers.pop_expired(now);
                    let same_id = |expired: Expired| ids.contains(&(expired.id, expired.key));
                    prop_assert_eq!(expired.map(|e| (e.deadline, e.key)), model.pop_expired(now));
                    prop_assert!(expired.is_none_or(same_id));
                }
            }
        }
        let next = model.earliest().map(|earliest| earliest.0);
        prop_assert_eq!((timers.len(), timers.is_empty()), (model.timers.len(), model.timers.is_empty()));
        prop_assert_eq!(timers.next_deadline(), next);
        prop_assert_eq!(timers.timeout(now), next.map(|next| next.saturating_sub(now)));
    }
    Ok(())
}

proptest! {
    #![proptest_config(config())]
    #[test]
    fn timers_behave_like_a_list(scale in scales(), script in vec(steps(), 0..120)) {
        compare(&mut Timers::new([TimerSlot::VACANT; ROOM]), scale, &script)?;
    }

    /// The slots stay as the first script left them.
    #[test]
    fn used_slots_work_like_new_ones(
        scale in scales(),
        before in vec(steps(), 0..120),
        script in vec(steps(), 0..120),
    ) {
        let mut slots = [TimerSlot::VACANT; ROOM];
        compare(&mut Timers::new(&mut slots), scale, &before)?;
        compare(&mut Timers::new(&mut slots), scale, &script)?;
    }
}
