//! std's I/O traits for a [`Stream`], and the conversion of [`Incomplete`] to std's error.
//!
//! A timeout of a blocking stream is `TimedOut` here; only a non-blocking stream returns `WouldBlock`.

use std::io::{Error as IoError, IoSlice, IoSliceMut, Read, Result as IoResult, Write};

use super::{Incomplete, Stream};
use crate::error::Error;

impl Read for &Stream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> IoResult<usize> {
        Ok(Stream::read(self, buf).map_err(|error| self.name_timeout(error))?)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> IoResult<usize> {
        Ok(Stream::read_vectored(self, bufs).map_err(|error| self.name_timeout(error))?)
    }
}

impl Write for &Stream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> IoResult<usize> {
        Ok(Stream::write(self, buf).map_err(|error| self.name_timeout(error))?)
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> IoResult<usize> {
        Ok(Stream::write_vectored(self, bufs).map_err(|error| self.name_timeout(error))?)
    }

    /// Does nothing: a stream has no buffer to flush.
    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

impl Read for Stream {
    #[inline]
    fn read(&mut self, buf: &mut [u8]) -> IoResult<usize> {
        Read::read(&mut &*self, buf)
    }

    #[inline]
    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> IoResult<usize> {
        Read::read_vectored(&mut &*self, bufs)
    }
}

impl Write for Stream {
    #[inline]
    fn write(&mut self, buf: &[u8]) -> IoResult<usize> {
        Write::write(&mut &*self, buf)
    }

    #[inline]
    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> IoResult<usize> {
        Write::write_vectored(&mut &*self, bufs)
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

/// Drops the number of bytes transferred, as std does.
impl From<Incomplete> for IoError {
    fn from(incomplete: Incomplete) -> Self {
        Error::from(incomplete).into()
    }
}
