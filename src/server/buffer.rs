//! Memory for a body that comes in pieces.
//!
//! A long one lies in pages of its own, which go back to the system as soon as it has been judged. An allocator would
//! keep them for the next one, and some do so for each thread: after a burst that is most of the memory there is.

use std::io;

use hyper::body::Bytes;
use memmap2::MmapMut;

/// The longest that is left to the allocator: it is judged where it is read, and hardly any review is longer.
pub(super) const SHORT_BYTES: usize = 64 * 1024;

/// A body as far as it has come.
#[derive(Debug)]
pub(super) enum BodyBuffer {
    Short(Vec<u8>),
    Long(MappedPages),
}

/// So many bytes at the beginning of pages of their own. Pages that were not written to take no memory.
#[derive(Debug)]
pub(super) struct MappedPages {
    pages: MmapMut,
    length: usize,
}

impl BodyBuffer {
    pub(super) fn new() -> Self {
        Self::Short(Vec::new())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Short(bytes) => bytes,
            Self::Long(pages) => pages.as_ref(),
        }
    }

    /// Makes room for so many bytes in all, from the allocator if they are no more than `short`.
    ///
    /// # Errors
    /// The system has no more for us.
    pub(super) fn reserve(&mut self, bytes: usize, short: usize) -> io::Result<()> {
        match self {
            Self::Short(text) if bytes <= short.max(text.capacity()) => {
                text.reserve_exact(bytes.saturating_sub(text.len()));
            }
            Self::Long(long) if bytes <= long.pages.len() => {}
            Self::Short(_) | Self::Long(_) => {
                let mut long = MappedPages { pages: MmapMut::map_anon(bytes)?, length: 0 };
                long.push(self.bytes())?;
                *self = Self::Long(long);
            }
        }
        Ok(())
    }

    /// Adds what has come.
    ///
    /// # Errors
    /// There is no more memory for it than was reserved.
    pub(super) fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Self::Short(bytes) => bytes.extend_from_slice(piece),
            Self::Long(pages) => pages.push(piece)?,
        }
        Ok(())
    }
}

impl From<BodyBuffer> for Bytes {
    fn from(buffer: BodyBuffer) -> Self {
        match buffer {
            BodyBuffer::Short(bytes) => bytes.into(),
            BodyBuffer::Long(pages) => Self::from_owner(pages),
        }
    }
}

impl MappedPages {
    fn push(&mut self, piece: &[u8]) -> io::Result<()> {
        let end = self.length.saturating_add(piece.len());
        let rest = self.pages.get_mut(self.length..end).ok_or(io::ErrorKind::StorageFull)?;
        rest.copy_from_slice(piece);
        self.length = end;
        Ok(())
    }
}

impl AsRef<[u8]> for MappedPages {
    fn as_ref(&self) -> &[u8] {
        self.pages.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_pushed_stays_whatever_it_lies_in() {
        let mut buffer = BodyBuffer::new();
        let mut expected = Vec::new();
        for (reserved, is_long) in
            [(10, false), (SHORT_BYTES, false), (SHORT_BYTES + 1, true), (1 << 20, true)]
        {
            buffer.reserve(reserved, SHORT_BYTES).unwrap();
            assert_eq!(matches!(buffer, BodyBuffer::Long(_)), is_long, "{reserved}");
            let piece = vec![b'0' + expected.len() as u8 % 10; reserved / 3];
            buffer.push(&piece).unwrap();
            expected.extend_from_slice(&piece);
            assert_eq!(buffer.bytes(), expected);
        }
        assert_eq!(Bytes::from(buffer), expected);
    }

    #[test]
    fn memory_that_cannot_be_had_is_an_error() {
        let mut buffer = BodyBuffer::new();
        buffer.reserve(SHORT_BYTES + 1, SHORT_BYTES).unwrap();
        buffer.push(&[b'x'; SHORT_BYTES]).unwrap();
        assert!(buffer.push(b"ab").is_err());
        assert!(buffer.reserve(usize::MAX / 2, SHORT_BYTES).is_err());
        assert_eq!(buffer.bytes(), [b'x'; SHORT_BYTES]);
    }
}
