//! std's traits for a [`Stream`], and its errors for ours.

use std::io::{Error as IoError, IoSlice, IoSliceMut, Read, Result as IoResult, Write};

use super::{Incomplete, Stream};
use crate::error::Error;

impl Read for &Stream {
    fn read(&mut self, buf: &mut [u8]) -> IoResult<usize> {
        Ok(Stream::read(self, buf)?)
    }

    fn read_vectored(&mut self, bufs: &mut [IoSliceMut<'_>]) -> IoResult<usize> {
        Ok(Stream::read_vectored(self, bufs)?)
    }
}

impl Write for &Stream {
    fn write(&mut self, buf: &[u8]) -> IoResult<usize> {
        Ok(Stream::write(self, buf)?)
    }

    fn write_vectored(&mut self, bufs: &[IoSlice<'_>]) -> IoResult<usize> {
        Ok(Stream::write_vectored(self, bufs)?)
    }

    /// There is nothing to flush.
    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> IoResult<usize> {
        Read::read(&mut &*self, buf)
    }
}

impl Write for Stream {
    fn write(&mut self, buf: &[u8]) -> IoResult<usize> {
        Write::write(&mut &*self, buf)
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

/// Forgets how far it came, as std does.
impl From<Incomplete> for IoError {
    fn from(incomplete: Incomplete) -> Self {
        Error::from(incomplete).into()
    }
}
