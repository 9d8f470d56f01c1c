//! The framing of control messages (`cmsg(3)`): a header, its data, and padding to the size of a pointer.
//!
//! Nothing here reads past a slice, and nothing is aligned: the bytes may begin anywhere.

use core::ops::Range;

/// The size of a word, to which messages are padded.
const WORD: usize = size_of::<usize>();
/// The size of `struct cmsghdr`: the length with header, the level and the type.
pub(crate) const HEADER: usize = WORD + 2 * size_of::<i32>();

/// `CMSG_ALIGN`
const fn aligned(len: usize) -> usize {
    len.saturating_add(WORD - 1) & !(WORD - 1)
}

/// `CMSG_SPACE`: the bytes that a message with `len` bytes of data takes in a buffer.
pub(crate) const fn space(len: usize) -> usize {
    aligned(HEADER).saturating_add(aligned(len))
}

/// The frame of one message.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Frame {
    pub(crate) level: i32,
    pub(crate) kind: i32,
    /// Where the data is.
    pub(crate) data: Range<usize>,
    /// Where the next message begins; past the end after the last one.
    pub(crate) next: usize,
}

/// The frame that begins at `at`; `None` at the end and for a length that `bytes` does not hold.
pub(crate) fn frame(bytes: &[u8], at: usize) -> Option<Frame> {
    let rest = bytes.get(at..)?;
    let len = usize::from_ne_bytes(*rest.first_chunk()?);
    if len < HEADER || len > rest.len() {
        return None;
    }
    let level = i32::from_ne_bytes(*rest.get(WORD..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*rest.get(WORD + 4..)?.first_chunk()?);
    Some(Frame { level, kind, data: at + aligned(HEADER)..at + len, next: at.saturating_add(aligned(len)) })
}

/// Appends a message to the first `len` of `bytes`; returns the new length, or `None` if there is no room.
pub(crate) fn append(bytes: &mut [u8], len: usize, level: i32, kind: i32, data: &[u8]) -> Option<usize> {
    let end = len.checked_add(space(data.len()))?;
    let message = bytes.get_mut(len..end)?;
    message.fill(0);
    let (header, rest) = message.split_at_mut_checked(aligned(HEADER))?;
    let (length, names) = header.split_first_chunk_mut::<WORD>()?;
    *length = (aligned(HEADER) + data.len()).to_ne_bytes();
    let (level_bytes, kind_bytes) = names.split_at_mut_checked(4)?;
    level_bytes.copy_from_slice(&level.to_ne_bytes());
    kind_bytes.get_mut(..4)?.copy_from_slice(&kind.to_ne_bytes());
    rest.get_mut(..data.len())?.copy_from_slice(data);
    Some(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_appended_message_is_framed_again() {
        let mut bytes = [0xff; 200];
        let len = append(&mut bytes, 0, 1, 2, b"abc").unwrap();
        assert_eq!(len, space(3));
        let end = append(&mut bytes, len, 3, 4, &[]).unwrap();
        let first = frame(&bytes[..end], 0).unwrap();
        assert_eq!((first.level, first.kind, &bytes[first.data.clone()]), (1, 2, &b"abc"[..]));
        let second = frame(&bytes[..end], first.next).unwrap();
        assert_eq!((second.level, second.kind, second.data.len()), (3, 4, 0));
        assert_eq!(frame(&bytes[..end], second.next), None);
    }

    #[test]
    fn a_message_without_room_is_not_begun() {
        for room in 0..space(5) {
            let mut bytes = std::vec![7; room];
            assert_eq!(append(&mut bytes, 0, 1, 2, b"abcde"), None);
            assert!(bytes.iter().all(|&byte| byte == 7));
        }
    }

    #[test]
    fn a_length_that_the_bytes_do_not_hold_ends_the_messages() {
        let mut bytes = [0; 64];
        append(&mut bytes, 0, 1, 2, &[5; 8]).unwrap();
        for len in [0, 1, HEADER - 1, 65, usize::MAX - 7, usize::MAX] {
            bytes[..WORD].copy_from_slice(&usize::to_ne_bytes(len));
            assert_eq!(frame(&bytes, 0), None, "{len}");
        }
        for cut in 0..HEADER {
            assert_eq!(frame(&[0xff; HEADER][..cut], 0), None);
        }
        assert_eq!(frame(&bytes, usize::MAX), None);
    }
}
