//! [`Listeners`]: what a server listens on, and when it does not.

use core::time::Duration;

use super::{LISTENERS_MAX, ListenerId, event::Event};
use crate::{
    accept::{Counters, Engine, Turn, Watch},
    error::{Cause, Error, Op, Result},
    event::{Interest, Poller},
    listen::Listener,
};

/// The listeners, by their [`ListenerId`].
pub(super) struct Listeners {
    all: [Option<Door>; LISTENERS_MAX],
    /// How many there have been.
    serial: u32,
    /// How many are not watched for the time being.
    closed: usize,
    /// What those have seen that are gone.
    past: Counters,
}

/// A listener, and how it is served.
pub(super) struct Door {
    id: ListenerId,
    pub(super) listener: Listener,
    pub(super) engine: Engine,
    /// Whether its interest is off.
    is_closed: bool,
    /// Whether its trouble has been told.
    is_told: bool,
}

impl Listeners {
    pub(super) const fn new() -> Self {
        Self { all: [const { None }; LISTENERS_MAX], serial: 0, closed: 0, past: Counters::ZERO }
    }

    /// Watches one more.
    pub(super) fn add(&mut self, poller: &Poller, listener: Listener, engine: Engine) -> Result<ListenerId> {
        let vacant = self.all.iter_mut().enumerate().find(|(_, place)| place.is_none());
        let (at, place) = vacant.ok_or_else(|| Error::refused(Op::Listen, Cause::TooManyAddresses))?;
        let id = ListenerId::new(at, self.serial);
        poller.add(&listener, id.to_bits(), Interest::READABLE)?;
        *place = Some(Door { id, listener, engine, is_closed: false, is_told: false });
        self.serial = self.serial.wrapping_add(1);
        Ok(id)
    }

    pub(super) fn get(&self, id: ListenerId) -> Option<&Door> {
        self.all.get(id.place())?.as_ref().filter(|door| door.id == id)
    }

    pub(super) fn get_mut(&mut self, id: ListenerId) -> Option<&mut Door> {
        self.all.get_mut(id.place())?.as_mut().filter(|door| door.id == id)
    }

    pub(super) fn first(&self) -> Option<ListenerId> {
        self.all.iter().flatten().next().map(|door| door.id)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ListenerId, &Listener)> {
        self.all.iter().flatten().map(|door| (door.id, &door.listener))
    }

    /// Does what a turn asks for, and says what is to be told.
    pub(super) fn after(&mut self, poller: &Poller, id: ListenerId, turn: Turn) -> Option<Event> {
        match turn.watch {
            Watch::Keep => {}
            Watch::Pause { .. } => self.close(poller, id),
            Watch::Stop => drop(self.remove(poller, id)),
        }
        let Err(error) = turn.end.ok() else {
            self.get_mut(id)?.is_told = false;
            return None;
        };
        let Some(door) = self.get_mut(id) else { return Some(Event::ListenerGone(id, error)) };
        let is_new = !core::mem::replace(&mut door.is_told, true);
        is_new.then_some(Event::AcceptFailed(id, error))
    }

    /// Lets clients wait in the backlog.
    pub(super) fn close(&mut self, poller: &Poller, id: ListenerId) {
        let Some(door) = self.get_mut(id).filter(|door| !door.is_closed) else { return };
        // A hang-up is told even where nothing is asked for, and told for ever but for `ONE_SHOT`.
        if poller.modify(&door.listener, id.to_bits(), Interest::ONE_SHOT).is_ok() {
            door.is_closed = true;
            self.closed += 1;
        }
    }

    /// Watches those again that have no reason to be closed any more.
    pub(super) fn reopen(&mut self, poller: &Poller, now: Duration) {
        for door in self.all.iter_mut().flatten().filter(|door| door.is_closed) {
            let _ = door.engine.resume(now);
            let is_due = door.engine.resume_at().is_none();
            if is_due && poller.modify(&door.listener, door.id.to_bits(), Interest::READABLE).is_ok() {
                door.is_closed = false;
                self.closed -= 1;
            }
        }
    }

    /// A descriptor was released.
    pub(super) fn released(&mut self) {
        self.all.iter_mut().flatten().for_each(|door| _ = door.engine.released());
    }

    /// Whether there are any that are not watched.
    pub(super) const fn any_closed(&self) -> bool {
        self.closed > 0
    }

    /// When the first of those is to be watched again by itself.
    pub(super) fn next_deadline(&self) -> Option<Duration> {
        self.all.iter().flatten().filter_map(|door| door.engine.resume_at()).min()
    }

    /// Listens there no more.
    pub(super) fn remove(&mut self, poller: &Poller, id: ListenerId) -> Option<Listener> {
        let door = self.all.get_mut(id.place())?.take_if(|door| door.id == id)?;
        self.closed -= usize::from(door.is_closed);
        self.past += door.engine.counters();
        // One that was shut down may be gone from the poller too.
        let _ = poller.delete(&door.listener);
        Some(door.listener)
    }

    /// What all of them have seen.
    pub(super) fn counters(&self) -> Counters {
        let mut sum = self.past;
        self.all.iter().flatten().for_each(|door| sum += door.engine.counters());
        sum
    }
}
