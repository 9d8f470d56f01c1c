//! Many connections: up to a limit per wake-up; one bad peer does not end the batch.

use rustix::fd::AsFd;

use crate::{
    addr::Endpoint,
    error::{Errno, Error, Op, Result},
    listen::Listener,
    stream::Stream,
    sys,
};

/// The result of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BatchOutcome {
    /// Connections passed to the caller.
    pub accepted: usize,
    /// Connections that failed before they reached the caller; they count against the limit too.
    pub failed: usize,
    /// Why the batch ended.
    pub end: BatchEnd,
}

/// Why a batch ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum BatchEnd {
    /// The queue is empty.
    Drained,
    /// There may be more: the limit is reached, or an [`Acceptor`](super::Acceptor) took one without asking.
    LimitReached,
    /// `EMFILE`, `ENFILE`, `ENOBUFS` or `ENOMEM`: connections stay queued, and a level-triggered poller keeps reporting
    /// the listener. Stop watching it until something has been released.
    OutOfResources(Error),
    /// `EINVAL`, `EBADF`, `ENOTSOCK`: the socket does not listen, or no longer does. Stop watching it.
    ListenerGone(Error),
    /// Any other error, which is likely to recur: `EPERM` from a filter that forbids accepting, or an option
    /// that could not be set; that connection is closed. Log it and retry later.
    Failed(Error),
}

impl Listener {
    /// Accepts up to `limit` connections and passes each to `each` with its peer's address.
    ///
    /// Errors of single connections ([`Error::is_peer_failure`]) are counted and skipped. Addresses are not formatted
    /// as text. A blocking listener from elsewhere blocks here until the limit is reached.
    ///
    /// ```
    /// use anet::{SocketOptions, accept::BatchEnd, listen};
    ///
    /// let listener = listen::tcp("127.0.0.1:0".parse()?, &SocketOptions::new())?;
    /// # let client = std::net::TcpStream::connect(listener.local_addr()?.to_string())?;
    /// let batch = listener.accept_batch(10, |stream, peer| println!("{peer} is here: {stream:?}"));
    /// assert_eq!((batch.accepted, batch.end), (1, BatchEnd::Drained));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "acceptTcpHandler")]
    pub fn accept_batch(&self, limit: usize, mut each: impl FnMut(Stream, Endpoint)) -> BatchOutcome {
        let mut batch = BatchOutcome::new();
        batch.fill(self, limit, &mut each);
        batch
    }
}

impl BatchOutcome {
    /// Nothing taken yet.
    pub(super) const fn new() -> Self {
        Self { accepted: 0, failed: 0, end: BatchEnd::LimitReached }
    }

    /// How much of a limit is used up.
    pub(super) const fn taken(&self) -> usize {
        self.accepted + self.failed
    }

    pub(super) fn is_out_of_files(&self) -> bool {
        matches!(self.end, BatchEnd::OutOfResources(error) if error.is_out_of_files())
    }

    /// Takes connections until the batch has `limit`, or ends earlier for another reason.
    #[inline]
    pub(super) fn fill(&mut self, listener: &Listener, limit: usize, each: &mut impl FnMut(Stream, Endpoint)) {
        while self.taken() < limit {
            match listener.accept() {
                Ok((stream, peer)) => {
                    self.accepted += 1;
                    each(stream, peer);
                }
                Err(error) if error.is_peer_failure() && listener.may_accept_more(error) => self.failed += 1,
                Err(error) => {
                    self.end = BatchEnd::of(error);
                    break;
                }
            }
        }
    }
}

impl Listener {
    /// A socket that cannot accept at all also fails with `EOPNOTSUPP`, at every call.
    fn may_accept_more(&self, error: Error) -> bool {
        !error.is(Errno::OPNOTSUPP) || sys::is_listening(self.as_fd()).unwrap_or(true)
    }
}

impl BatchEnd {
    fn of(error: Error) -> Self {
        let gone = [Errno::INVAL, Errno::BADF, Errno::NOTSOCK, Errno::OPNOTSUPP];
        match error.errno() {
            _ if error.op() != Op::Accept => Self::Failed(error),
            _ if error.is_would_block() => Self::Drained,
            _ if error.is_out_of_resources() => Self::OutOfResources(error),
            Some(errno) if gone.contains(&errno) => Self::ListenerGone(error),
            _ => Self::Failed(error),
        }
    }

    /// `Ok` for a batch that ended well; otherwise the error that ended it.
    ///
    /// # Errors
    ///
    /// The error of [`OutOfResources`](Self::OutOfResources), [`ListenerGone`](Self::ListenerGone) or
    /// [`Failed`](Self::Failed).
    pub fn ok(self) -> Result<()> {
        match self {
            Self::Drained | Self::LimitReached => Ok(()),
            Self::OutOfResources(error) | Self::ListenerGone(error) | Self::Failed(error) => Err(error),
        }
    }
}
