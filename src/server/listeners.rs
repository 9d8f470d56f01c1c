//! [`Listeners`]: the listeners of a server, the order in which they accept, and when they pause.
//!
//! Slots and descriptors belong to the server, not to a listener: whichever listener is served takes one, and the next
//! listener goes first the next time. For lack of descriptors or memory all listeners pause together, and one of them
//! retries for all.

use core::time::Duration;

use super::{LISTENERS_MAX, ListenOptions, ListenerId, event::Event};
use crate::{
    accept::{Backoff, BatchEnd, Counters, Outcome, Watch},
    error::{Cause, Errno, Error, Op, Result},
    event::{Interest, Poller},
    listen::Listener,
};

/// The listeners, by their [`ListenerId`].
pub(super) struct Listeners {
    all: [Option<Entry>; LISTENERS_MAX],
    /// How many listeners there have been.
    serial: u32,
    /// Listeners that may have a connection waiting, one bit per position.
    waiting: u32,
    /// Listeners whose interest is off.
    paused: u32,
    /// The position to serve first.
    first: u32,
    /// The common pause, while resources are known to have run out.
    pressure: Option<Backoff>,
    /// The counters of removed listeners.
    past: Counters,
}

/// A listener, and how it is served.
pub(super) struct Entry {
    id: ListenerId,
    pub(super) listener: Listener,
    pub(super) options: ListenOptions,
    /// Whether its failure has been reported.
    is_reported: bool,
}

const _: () = assert!(LISTENERS_MAX == u32::BITS as usize);

impl Listeners {
    pub(super) const fn new() -> Self {
        Self {
            all: [const { None }; LISTENERS_MAX],
            serial: 0,
            waiting: 0,
            paused: 0,
            first: 0,
            pressure: None,
            past: Counters::ZERO,
        }
    }

    /// Adds and watches a listener.
    pub(super) fn add(&mut self, poller: &Poller, listener: Listener, options: ListenOptions) -> Result<ListenerId> {
        let vacant = self.all.iter_mut().enumerate().find(|(_, entry)| entry.is_none());
        let (position, entry) = vacant.ok_or_else(|| Error::refused(Op::Listen, Cause::TooManyAddresses))?;
        let id = ListenerId::new(position, self.serial);
        poller.add(&listener, id.to_bits(), Interest::READABLE)?;
        *entry = Some(Entry { id, listener, options, is_reported: false });
        self.serial = self.serial.wrapping_add(1);
        Ok(id)
    }

    pub(super) fn get(&self, id: ListenerId) -> Option<&Entry> {
        self.all.get(id.position())?.as_ref().filter(|entry| entry.id == id)
    }

    pub(super) fn get_mut(&mut self, id: ListenerId) -> Option<&mut Entry> {
        self.all.get_mut(id.position())?.as_mut().filter(|entry| entry.id == id)
    }

    pub(super) fn any(&self) -> Option<ListenerId> {
        self.all.iter().flatten().next().map(|entry| entry.id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        self.all.iter().flatten().map(|entry| (entry.id, &entry.listener))
    }

    /// Removes a listener.
    pub(super) fn remove(&mut self, poller: &Poller, id: ListenerId) -> Option<Listener> {
        let entry = self.all.get_mut(id.position())?.take_if(|entry| entry.id == id)?;
        self.waiting &= !bit(id);
        self.paused &= !bit(id);
        self.past += entry.options.acceptor.counters();
        // A listener that was shut down may be gone from the poller too.
        let _ = poller.delete(&entry.listener);
        Some(entry.listener)
    }

    /// The sum of the counters of all listeners.
    pub(super) fn counters(&self) -> Counters {
        let mut sum = self.past;
        self.all.iter().flatten().for_each(|entry| sum += entry.options.acceptor.counters());
        sum
    }
}

/// Turns.
impl Listeners {
    /// Notes that the poller has reported a listener.
    pub(super) fn report(&mut self, id: ListenerId) {
        if self.get(id).is_some() {
            self.waiting |= bit(id);
        }
    }

    /// Listeners whose pause is over are served like those that were reported.
    pub(super) fn end_pauses(&mut self, now: Duration) {
        if self.paused == 0 || self.resume_at().is_some_and(|at| at > now) {
            return;
        }
        let due = |entry: &&Entry| entry.options.acceptor.resume_at().is_none_or(|at| at <= now);
        let due = self.all.iter().flatten().filter(due).fold(0, |due, entry| due | bit(entry.id));
        self.waiting |= self.paused & due;
    }

    /// The next listener that may have a connection waiting, each once; none while all pause.
    #[inline]
    pub(super) fn next_waiting(&mut self, now: Duration) -> Option<ListenerId> {
        if self.waiting == 0 || self.is_pressed(now) {
            return None;
        }
        let ahead = self.waiting.rotate_right(self.first).trailing_zeros();
        let position = (self.first + ahead) % u32::BITS;
        self.waiting &= !(1 << position);
        self.first = (position + 1) % u32::BITS;
        self.all.get(position as usize)?.as_ref().map(|entry| entry.id)
    }

    /// Pauses the listeners that still wait; their clients stay in the backlog.
    pub(super) fn pause_waiting(&mut self, poller: &Poller) {
        while self.waiting != 0 {
            let position = self.waiting.trailing_zeros();
            self.waiting &= self.waiting - 1;
            if let Some(id) = self.all.get(position as usize).and_then(|entry| Some(entry.as_ref()?.id)) {
                self.pause(poller, id);
            }
        }
    }

    /// Acts on an outcome and returns the event to report. `has_room`: whether more connections fit.
    pub(super) fn after(
        &mut self,
        poller: &Poller,
        id: ListenerId,
        outcome: Outcome,
        has_room: bool,
        now: Duration,
    ) -> Option<Event> {
        self.press(id, &outcome, now);
        match outcome.watch {
            Watch::Keep if has_room || outcome.end == BatchEnd::Drained => self.resume(poller, id),
            // A paused listener keeps waiting for room.
            Watch::Keep => {}
            Watch::Pause { .. } => self.pause(poller, id),
            Watch::Stop => drop(self.remove(poller, id)),
        }
        let Err(error) = outcome.end.ok() else {
            self.get_mut(id)?.is_reported = false;
            return None;
        };
        let Some(entry) = self.get_mut(id) else { return Some(Event::ListenerGone(id, error)) };
        let is_new = !core::mem::replace(&mut entry.is_reported, true);
        is_new.then_some(Event::AcceptFailed(id, error))
    }

    /// Takes the interest off. Even an empty interest reports a hang-up, at every wait unless `ONE_SHOT` is set.
    fn pause(&mut self, poller: &Poller, id: ListenerId) {
        if self.paused & bit(id) == 0 && self.set_interest(poller, id, Interest::ONE_SHOT) {
            self.paused |= bit(id);
        }
    }

    /// Puts the interest back on.
    fn resume(&mut self, poller: &Poller, id: ListenerId) {
        if self.paused & bit(id) != 0 && self.set_interest(poller, id, Interest::READABLE) {
            self.paused &= !bit(id);
        }
    }

    fn set_interest(&self, poller: &Poller, id: ListenerId, interest: Interest) -> bool {
        let Some(entry) = self.get(id) else { return false };
        match poller.modify(&entry.listener, id.to_bits(), interest) {
            // A new poller had no memory to add it.
            Err(error) if error.is(Errno::NOENT) => poller.add(&entry.listener, id.to_bits(), interest).is_ok(),
            done => done.is_ok(),
        }
    }

    /// Watches all listeners with another poller.
    pub(super) fn move_to(&mut self, poller: &Poller) {
        for entry in self.all.iter().flatten() {
            let is_paused = self.paused & bit(entry.id) != 0;
            let interest = if is_paused { Interest::ONE_SHOT } else { Interest::READABLE };
            if poller.add(&entry.listener, entry.id.to_bits(), interest).is_err() {
                self.paused |= bit(entry.id);
            }
        }
    }
}

/// Pressure.
impl Listeners {
    /// Whether all pause for want of descriptors or memory.
    fn is_pressed(&self, now: Duration) -> bool {
        self.pressure.is_some_and(|pressure| pressure.until().is_some_and(|until| until > now))
    }

    /// Resources that run out at one listener have run out for all. The pauses are those of the first listener to fail.
    fn press(&mut self, id: ListenerId, outcome: &Outcome, now: Duration) {
        let is_out = matches!(outcome.end, BatchEnd::OutOfResources(_));
        if !is_out || outcome.accepted + outcome.shed > 0 {
            self.pressure = None;
        }
        if !is_out {
            return;
        }
        let Some(pauses) = self.get(id).map(|entry| entry.options.acceptor.pauses()) else { return };
        self.pressure.get_or_insert(pauses).pause(now);
        // The pause is common, not the listener's own.
        if let Some(entry) = self.get_mut(id) {
            let _ = entry.options.acceptor.notify_release();
        }
    }

    /// Ends the common pause, because a descriptor was released.
    pub(super) fn notify_release(&mut self) {
        if let Some(pressure) = &mut self.pressure {
            pressure.end();
        }
    }

    /// When to retry a paused listener; `None` if none is paused.
    pub(super) fn resume_at(&self) -> Option<Duration> {
        if self.paused == 0 {
            return None;
        }
        let paused = self.all.iter().flatten().filter(|entry| self.paused & bit(entry.id) != 0);
        let own = paused.map(|entry| entry.options.acceptor.resume_at().unwrap_or_default()).min();
        own.max(self.pressure.and_then(|pressure| pressure.until()))
    }
}

const fn bit(id: ListenerId) -> u32 {
    1 << id.position()
}
