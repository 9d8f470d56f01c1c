//! Many connections: up to a limit for each wake-up, with one bad peer no reason to stop.

use crate::{
    Listener, Stream,
    addr::Endpoint,
    error::{Error, Op, Result},
};

/// What came of a batch.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Batch {
    /// Connections handed to the caller.
    pub accepted: usize,
    /// Connections that failed before they could be handed over; they count against the limit too.
    pub failed: usize,
    /// Why the batch ended.
    pub end: BatchEnd,
}

/// Why a batch ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum BatchEnd {
    /// The queue is empty.
    Drained,
    /// The limit is reached; there may be more.
    LimitReached,
    /// `EMFILE`, `ENFILE`, `ENOBUFS` or `ENOMEM`: connections stay queued, and a level-triggered poller goes on saying
    /// so. Stop watching the listener until something has been released.
    OutOfResources(Error),
    /// `EINVAL`, `EBADF`, `ENOTSOCK` or anything unforeseen: the socket does not listen any more. Stop watching it.
    ListenerGone(Error),
}

impl Listener {
    /// Takes up to `limit` connections and hands each to `each` with its peer's address.
    ///
    /// The errors of single connections ([`Error::is_peer_failure`]) are counted and passed over. No text is made.
    ///
    /// ```
    /// use anet::{accept::BatchEnd, listen::{self, Profile}};
    ///
    /// let listener = listen::tcp("127.0.0.1:0".parse()?, &Profile::new())?;
    /// # let client = std::net::TcpStream::connect(listener.local_addr()?.to_string())?;
    /// let batch = listener.accept_batch(10, |stream, peer| println!("{peer} is here: {stream:?}"));
    /// assert_eq!((batch.accepted, batch.end), (1, BatchEnd::Drained));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[doc(alias = "acceptTcpHandler")]
    pub fn accept_batch(&self, limit: usize, mut each: impl FnMut(Stream, Endpoint)) -> Batch {
        let mut batch = Batch { accepted: 0, failed: 0, end: BatchEnd::LimitReached };
        while batch.accepted + batch.failed < limit {
            match self.accept() {
                Ok((stream, peer)) => {
                    batch.accepted += 1;
                    each(stream, peer);
                }
                Err(error) if spoils_one_connection(error) => batch.failed += 1,
                Err(error) => {
                    batch.end = BatchEnd::of(error);
                    break;
                }
            }
        }
        batch
    }
}

/// The connection was bad, or was taken and could not be configured; either way it is closed and the queue moves on.
fn spoils_one_connection(error: Error) -> bool {
    error.op() != Op::Accept || error.is_peer_failure()
}

impl BatchEnd {
    fn of(error: Error) -> Self {
        if error.is_would_block() {
            Self::Drained
        } else if error.is_out_of_resources() {
            Self::OutOfResources(error)
        } else {
            Self::ListenerGone(error)
        }
    }

    /// The error behind the end; `None` for a batch that ended well.
    ///
    /// # Errors
    ///
    /// The error of [`OutOfResources`](Self::OutOfResources) or [`ListenerGone`](Self::ListenerGone).
    pub fn ok(self) -> Result<()> {
        match self {
            Self::Drained | Self::LimitReached => Ok(()),
            Self::OutOfResources(error) | Self::ListenerGone(error) => Err(error),
        }
    }
}
