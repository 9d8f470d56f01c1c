//! Connections to names: a lookup first, and the race among its addresses as they arrive.

use super::{
    Key, Refused, Server,
    connections::{Connections, connection},
    lookup::{Lookups, Name},
    outgoing::NOWHERE,
    route::Dial,
    table::List,
};
use crate::{
    connect::Connector,
    error::{Cause, Error, Op, Result},
    resolve::Families,
};

impl<'t, T, const SOURCES: usize> Server<'t, T, SOURCES> {
    /// Provides the room for lookups, which [`connect_to_name`](Self::connect_to_name) needs: one for each name that
    /// connections are made to at a time.
    ///
    /// # Errors
    ///
    /// Those of [`Poller::add`](crate::event::Poller::add).
    pub fn with_lookups(mut self, lookups: impl Into<Lookups<'t>>) -> Result<Self> {
        let mut lookups = lookups.into();
        lookups.reset();
        lookups.watch(&self.connections.poller)?;
        self.connections.routes.lookups = lookups;
        Ok(self)
    }

    /// Starts connecting to a host by name or numeric text, like [`connect`](Self::connect) to a list of its addresses.
    ///
    /// Numeric text, names of the hosts file and `localhost` begin at once. For other names the server asks DNS, in its
    /// own loop. The first attempt begins when the preferred family has answered, or 50 ms after the other (RFC 8305,
    /// 8: Resolution Delay). The families take turns, beginning with that of the connector's
    /// [order](Connector::with_order), the preferred one of `families`, or that of the hosts file's first line; in DNS
    /// with IPv6. The connector's time limit includes the lookup.
    ///
    /// Connections to the same host and port with the same connector share one lookup, and its answer for as long as the
    /// TTL, at least one second; after a connection has failed, the next one asks again. A lookup ends when its last
    /// connection is closed.
    ///
    /// With an answer at hand, this costs the calls of a connection to an address. A lookup adds eleven for one family
    /// over UDP, six for the other (counted with strace), and those that read the files.
    ///
    /// If there is no address, [`Event::Closing`](super::Event::Closing) reports the lookup's error, such as
    /// [`HostNotFound`](Cause::HostNotFound) or [`NoAnswer`](Cause::NoAnswer), and
    /// [`DeadlinePassed`](Cause::DeadlinePassed) if the time is over first. Read [`attempts`](Self::attempts) before you
    /// start another connection to the same name, which may replace the list.
    ///
    /// While the name is resolved, the connection has no address and no socket of its own: writing to it fails with
    /// `ENOTCONN` instead of `EAGAIN`, so ask [`is_connecting`](super::Connection::is_connecting) first.
    ///
    /// ```
    /// use anet::{
    ///     connect::Connector,
    ///     resolve::{Families, dns::Stub},
    ///     server::{Event, Lookup, Server, Slot},
    /// };
    ///
    /// # let upstream = std::net::TcpListener::bind("127.0.0.1:0")?;
    /// # let port = upstream.local_addr()?.port();
    /// let mut lookups = [Lookup::new(Stub::new()?)];
    /// let mut slots = [const { Slot::<()>::VACANT }; 4];
    /// let mut server = Server::new(&mut slots)?.with_lookups(&mut lookups)?;
    /// let key = server.connect_to_name("localhost", port, Families::PreferV4, &Connector::new(), ())?;
    /// 'connected: loop {
    ///     server.wait(None)?;
    ///     while let Some(event) = server.next_event() {
    ///         match event {
    ///             Event::Connected(connected) if connected == key => break 'connected,
    ///             Event::Closing(_, reason) => panic!("{reason:?}"),
    ///             _ => {}
    ///         }
    ///     }
    /// }
    /// assert_eq!(server.get(key).unwrap().peer_addr().port(), Some(port));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The error returns the data: [`NoRoom`](Cause::NoRoom) if no slot is vacant or no lookup is free; those of
    /// [`Stub::start`](crate::resolve::dns::Stub::start); the most telling error if every attempt failed at once.
    pub fn connect_to_name(
        &mut self,
        host: &str,
        port: u16,
        families: Families,
        connector: &Connector,
        data: T,
    ) -> Result<Key, Refused<T>> {
        const TOO_LONG: Error = Error::refused(Op::Resolve, Cause::InvalidHostName { at: 0 });
        match Name::new(host, port, families) {
            Some(name) => self.connections.dial_name(&name, connector, data),
            None => Err(Refused { value: data, error: TOO_LONG }),
        }
    }
}

impl<T, const SOURCES: usize> Connections<'_, T, SOURCES> {
    fn dial_name(&mut self, name: &Name, connector: &Connector, data: T) -> Result<Key, Refused<T>> {
        if self.room() == 0 {
            return Err(Refused::no_room(data));
        }
        let route = match self.routes.lookups.take(name, connector) {
            Ok(route) => route,
            Err(error) => return Err(Refused { value: data, error }),
        };
        let Some(lookup) = self.routes.lookups.get(route) else { return Err(Refused::no_room(data)) };
        let race = lookup.race(connector);
        self.launch(Dial::new(route, race), NOWHERE, data)
    }

    /// Advances a lookup whose servers may have answered.
    pub(super) fn advance_lookup(&mut self, number: usize) {
        if self.routes.lookups.advance(number, &self.poller) {
            self.pass_on(super::ROUTES_MAX + number);
        }
    }

    /// Advances the lookups whose servers have not answered in time.
    pub(super) fn advance_due_lookups(&mut self) {
        while let Some(number) = self.routes.lookups.overdue(self.now) {
            self.advance_lookup(number);
        }
    }

    /// Passes what a lookup has found to the connections that wait for it.
    fn pass_on(&mut self, route: usize) {
        for list in [List::Dialled, List::Connecting, List::Waiting] {
            // Each is moved to the end once, so their order stays.
            for _ in 0..self.table.len(list) {
                let Some(key) = self.table.first(list) else { break };
                self.table.move_to(key, list);
                if self.update(key, route) {
                    self.go_on(key, None);
                }
            }
        }
    }

    /// Gives a connection the addresses of its lookup; returns whether this route is its own.
    fn update(&mut self, key: Key, route: usize) -> bool {
        let dial = connection(&mut self.table, key).and_then(|connection| connection.dial.as_mut());
        let Some(dial) = dial.filter(|dial| dial.route == route) else { return false };
        let Some(lookup) = self.routes.lookups.get(route) else { return false };
        lookup.update(&mut dial.race);
        true
    }
}
