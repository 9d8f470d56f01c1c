//! Sending a batch: messages for the kernel out of entries, several entries to a message where that is asked for.

use core::net::IpAddr;

use rustix::fd::AsFd;

use super::{Batch, Entry, EntryMut};
use crate::{
    datagram::{
        Datagram, SEGMENTS_MAX, Segmenter,
        cmsg::{self, ControlMessage, Encoder},
        segments::LEN_MAX,
        send_error,
    },
    error::{Errno, Op, Result},
    sys::{
        self,
        raw::{self, Name, Outgoing, Part},
    },
};

impl<const N: usize, const LEN: usize, const CONTROL: usize> Batch<N, LEN, CONTROL> {
    /// Sends what the batch holds, each datagram to its address, and returns how many entries were sent whole. The
    /// others stay, in their order, and the next call goes on with them.
    ///
    /// Joined datagrams that were received as one (GRO) are sent as those that they were. If the batch has room for
    /// control messages and the socket reports [`LOCAL_ADDR`](crate::datagram::Request::LOCAL_ADDR), answers leave from
    /// the address that the request came to.
    ///
    /// # Errors
    ///
    /// Those of [`Datagram::send_to`] and of the first entry, if none was sent: [`skip`](Self::skip) drops it.
    #[doc(alias = "sendmmsg")]
    pub fn send(&mut self, socket: &Datagram) -> Result<usize> {
        let mut segmenter = self.segmenter_for(socket);
        let was_offloaded = segmenter.is_offloaded();
        let sent = self.send_all(socket, &mut segmenter, false);
        self.is_path_refused |= was_offloaded && !segmenter.is_offloaded();
        sent
    }

    /// Sends as [`send`](Self::send) does, and joins neighbours: datagrams of one length to one address, the last of
    /// which may be shorter, go to the kernel as one message, which it splits again (GSO). The same datagrams arrive.
    ///
    /// `segmenter` is made once [for the socket](Segmenter::for_socket). Where the kernel or the path refuses,
    /// the datagrams are sent one by one at once, and `segmenter` remembers that.
    ///
    /// Over loopback, a datagram of 64 bytes took 0.5 us instead of 2.6 us (64 to one peer, Linux 6.18). Over a network
    /// device, joined datagrams leave as one burst.
    ///
    /// ```
    /// use anet::{Datagram, SocketOptions, datagram::{Batch, Segmenter}, listen};
    ///
    /// let server = listen::udp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
    /// let client = Datagram::connected(&server.local_addr()?, &SocketOptions::new())?;
    /// let mut segmenter = Segmenter::for_socket(&client);
    /// let mut batch = Batch::<32, 1500>::new();
    /// for packet in [&[1; 1200][..], &[2; 1200], &[3; 700]] {
    ///     batch.push(packet, None)?;
    /// }
    /// assert_eq!(batch.send_joined(&client, &mut segmenter)?, 3);
    /// # let mut buf = [0; 2048];
    /// # for (first, len) in [(1, 1200), (2, 1200), (3, 700)] {
    /// #     let bytes = server.recv(&mut buf)?.bytes;
    /// #     assert_eq!((bytes[0], bytes.len()), (first, len));
    /// # }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Those of [`send`](Self::send).
    #[doc(alias = "UDP_SEGMENT")]
    #[doc(alias = "GSO")]
    pub fn send_joined(&mut self, socket: &Datagram, segmenter: &mut Segmenter) -> Result<usize> {
        self.send_all(socket, segmenter, true)
    }

    /// Whether the kernel may split for this socket: one call more if there is something to split.
    fn segmenter_for(&self, socket: &Datagram) -> Segmenter {
        let is_needed = self.iter().any(|entry| entry.state.is_segmented());
        if is_needed && !self.is_path_refused { Segmenter::for_socket(socket) } else { Segmenter::one_by_one() }
    }

    fn send_all(&mut self, socket: &Datagram, segmenter: &mut Segmenter, is_joining: bool) -> Result<usize> {
        let mut sent = 0;
        while let Some(is_segmented) = self.first_is_segmented() {
            let outcome = match self.send_some(socket, segmenter, is_joining) {
                Err(refused) if is_segmented && segmenter.accepts_refusal(refused.errno) => {
                    self.send_first_one_by_one(socket)
                }
                Err(refused) if refused.joined > 1 && segmenter.accepts_refusal(refused.errno) => {
                    self.send_apart(socket, segmenter, refused.joined)
                }
                other => other.map_err(|refused| refused.errno),
            };
            match outcome {
                Ok(count) => sent += count,
                Err(errno) => return self.stopped(sent, errno),
            }
        }
        self.clear();
        Ok(sent)
    }

    /// Whether the first entry is more than one datagram; `None` if there is none.
    fn first_is_segmented(&self) -> Option<bool> {
        self.iter().next().map(|first| first.state.is_segmented())
    }

    /// An error after the first sent entry is returned by the next call, which meets it again.
    fn stopped(&self, sent: usize, errno: Errno) -> Result<usize> {
        if sent > 0 {
            return Ok(sent);
        }
        let first = self.iter().next();
        let len = first.as_ref().map_or(0, Entry::datagram_len);
        let to = first.map(|entry| entry.addr());
        Err(send_error(Op::SendMessages, errno, len, to.as_ref()))
    }

    /// Sends entries from the front as far as one call does.
    fn send_some(&mut self, socket: &Datagram, segmenter: &Segmenter, is_joining: bool) -> Result<usize, Refused> {
        let mut plans = [const { Plan::EMPTY }; N];
        if is_joining && segmenter.is_offloaded() {
            self.join(&mut plans, segmenter.longest());
        }
        let sent = self.send_planned(socket, &mut plans, self.used, segmenter.is_offloaded());
        sent.map_err(|errno| Refused { errno, joined: 1 + plans.iter().skip(1).take_while(|plan| plan.joins).count() })
    }

    /// Plans which entries join the one before.
    fn join(&self, plans: &mut [Plan; N], longest: usize) {
        let mut run: Option<Run<'_, '_>> = None;
        for (entry, plan) in self.iter().zip(plans) {
            plan.joins = run.as_mut().is_some_and(|run| run.takes(&entry));
            if !plan.joins {
                run = Run::led_by(&entry, plan, longest);
            }
        }
    }

    /// Sends at most `most` entries from the front; returns how many.
    fn send_planned(
        &mut self,
        socket: &Datagram,
        plans: &mut [Plan; N],
        most: usize,
        is_offloaded: bool,
    ) -> sys::Result<usize> {
        let in_use = self.slots.iter().zip(&self.states).take(self.used);
        let unsent = in_use.filter(|(_, state)| state.is_unsent()).take(most);
        let parts = unsent.zip(plans.iter_mut()).map_while(|((slot, state), plan)| {
            let bytes = state.bytes_of(slot);
            if plan.joins {
                return Some(Part::More(bytes));
            }
            // The call ends before what the kernel cannot split.
            if state.is_segmented() && !is_offloaded {
                return None;
            }
            if state.is_segmented() {
                plan.segment_size = state.segment_size();
            }
            plan.encode(state.source());
            Some(Part::Message(Outgoing { to: &slot.name, bytes, control: plan.control() }))
        });
        let messages = raw::sendmmsg::<N>(socket.as_fd(), parts)?;
        // Nothing but segments in front that the kernel cannot split.
        if messages == 0 {
            return Err(Errno::INVAL);
        }
        Ok(self.finish(plans, messages))
    }

    /// Notes that this many messages were sent; returns how many entries they are.
    fn finish(&mut self, plans: &[Plan; N], messages: usize) -> usize {
        let unsent = self.states.iter_mut().take(self.used).filter(|state| state.is_unsent());
        let (mut begun, mut sent) = (0, 0);
        for (state, plan) in unsent.zip(plans) {
            begun += usize::from(!plan.joins);
            if begun > messages {
                break;
            }
            state.finish();
            sent += 1;
        }
        sent
    }

    /// Sends the first entries, which the kernel has refused to split, each as a message of its own.
    fn send_apart(&mut self, socket: &Datagram, segmenter: &mut Segmenter, joined: usize) -> sys::Result<usize> {
        let len = self.iter().next().map_or(0, |first| first.bytes().len());
        let sent = self.send_planned(socket, &mut [const { Plan::EMPTY }; N], joined, false)?;
        segmenter.limit_to(len.saturating_sub(1));
        Ok(sent)
    }

    /// Returns 1: the first entry, which may have been sent in part before.
    fn send_first_one_by_one(&mut self, socket: &Datagram) -> sys::Result<usize> {
        let Some(EntryMut { slot, state }) = self.iter_mut().next() else { return Ok(0) };
        let mut plan = Plan::EMPTY;
        plan.encode(state.source());
        let bytes = state.bytes_of(slot);
        for datagram in bytes.chunks(usize::from(state.segment_size()).max(1)) {
            raw::sendmsg(socket.as_fd(), &Outgoing { to: &slot.name, bytes: datagram, control: plan.control() })?;
            state.advance(datagram.len());
        }
        Ok(1)
    }
}

/// A call that has sent nothing.
struct Refused {
    errno: Errno,
    /// How many entries the first message has.
    joined: usize,
}

/// How an entry is sent.
struct Plan {
    /// As more bytes of the message that the entry before begins or continues.
    joins: bool,
    /// How the kernel splits the message; 0: it does not.
    segment_size: u16,
    control_len: u8,
    control: [u8; Self::CAPACITY],
}

impl Plan {
    /// A source address and a segment size.
    const CAPACITY: usize = cmsg::space(20) + cmsg::space(2);
    const EMPTY: Self = Self { joins: false, segment_size: 0, control_len: 0, control: [0; Self::CAPACITY] };

    fn control(&self) -> &[u8] {
        self.control.get(..self.control_len.into()).unwrap_or_default()
    }

    /// Encodes the control messages.
    fn encode(&mut self, source: Option<IpAddr>) {
        let source = source.map(ControlMessage::source);
        let size = (self.segment_size > 0).then_some(ControlMessage::SegmentSize(self.segment_size));
        if source.is_none() && size.is_none() {
            return;
        }
        let mut encoder = Encoder::new(&mut self.control);
        for message in [source, size].into_iter().flatten() {
            // There is room for both.
            let _ = encoder.push(&message);
        }
        self.control_len = encoder.as_bytes().len() as u8;
    }
}

const _: () = assert!(Plan::CAPACITY <= u8::MAX as usize);

/// Neighbours that one message holds.
struct Run<'b, 'p> {
    leader: &'p mut Plan,
    to: &'b Name,
    source: Option<IpAddr>,
    /// The length of each datagram, except that the last may be shorter.
    segment_size: u16,
    count: usize,
    bytes: usize,
    /// Whether all have this length so far.
    is_open: bool,
}

impl<'b, 'p> Run<'b, 'p> {
    /// A run of one entry; `None` if none can join it.
    fn led_by<const LEN: usize, const CONTROL: usize>(
        entry: &Entry<'b, LEN, CONTROL>,
        leader: &'p mut Plan,
        longest: usize,
    ) -> Option<Self> {
        let bytes = entry.bytes().len();
        if entry.state.is_segmented() || bytes == 0 || bytes > longest {
            return None;
        }
        let segment_size = u16::try_from(bytes).ok()?;
        let (to, source) = (&entry.slot.name, entry.state.source());
        Some(Self { leader, to, source, segment_size, count: 1, bytes, is_open: true })
    }

    /// Takes an entry, if it fits.
    fn takes<const LEN: usize, const CONTROL: usize>(&mut self, entry: &Entry<'b, LEN, CONTROL>) -> bool {
        let (len, bytes) = (entry.bytes().len(), self.bytes + entry.bytes().len());
        let is_room = self.is_open && self.count < SEGMENTS_MAX && bytes <= LEN_MAX;
        let is_like = (1..=usize::from(self.segment_size)).contains(&len) && !entry.state.is_segmented();
        if !is_room
            || !is_like
            || self.to.as_bytes() != entry.slot.name.as_bytes()
            || self.source != entry.state.source()
        {
            return false;
        }
        self.leader.segment_size = self.segment_size;
        self.is_open = len == usize::from(self.segment_size);
        (self.count, self.bytes) = (self.count + 1, bytes);
        true
    }
}
