//! Reading ahead of TLS: all that the system holds for a connection at once, in a buffer that is lent.
//!
//! TLS asks for 4 KiB and then for the rest of a record, which is a call to the system each time: eight for a review of 57 KB.
//! A buffer is held only while there is something in it, so connections that are silent hold none, and there are so few that
//! they take no memory to speak of. Where all are lent, TLS reads from the system as it would without them.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::ReadBuf;

/// Nearly every review with its head, and four records of TLS.
const BUFFER_BYTES: usize = 64 * 1024;

/// How many buffers there are, 1 MiB in all. What was read is consumed at once, so more than one for each thread are lent
/// only while connections wait with something unread, for memory or for an earlier answer.
const MAX_BUFFERS: usize = 16;

/// Buffers to be lent.
#[derive(Debug, Default)]
pub(super) struct ReadAheadPool(Mutex<PooledBuffers>);

#[derive(Debug, Default)]
struct PooledBuffers {
    free: Vec<Box<[u8]>>,
    lent: usize,
}

/// A buffer of a pool, with what has been read and not been taken.
#[derive(Debug)]
pub(super) struct ReadAheadBuffer {
    bytes: Box<[u8]>,
    taken: usize,
    filled: usize,
    pool: Arc<ReadAheadPool>,
}

impl ReadAheadPool {
    /// Lends an empty buffer, unless all are lent.
    pub(super) fn lend(self: &Arc<Self>) -> Option<ReadAheadBuffer> {
        let mut buffers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buffers.lent >= MAX_BUFFERS {
            return None;
        }
        buffers.lent += 1;
        let bytes = buffers.free.pop();
        drop(buffers);
        let bytes = bytes.unwrap_or_else(|| vec![0; BUFFER_BYTES].into());
        Some(ReadAheadBuffer { bytes, taken: 0, filled: 0, pool: Arc::clone(self) })
    }
}

#[cfg(test)]
impl ReadAheadPool {
    /// How many buffers are lent.
    pub(super) fn lent(&self) -> usize {
        self.0.lock().unwrap().lent
    }
}

impl ReadAheadBuffer {
    /// Has it filled, from its beginning.
    pub(super) fn fill<T>(&mut self, read: impl FnOnce(&mut ReadBuf<'_>) -> T) -> T {
        let mut buffer = ReadBuf::new(&mut self.bytes);
        let result = read(&mut buffer);
        (self.taken, self.filled) = (0, buffer.filled().len());
        result
    }

    pub(super) fn is_empty(&self) -> bool {
        self.taken == self.filled
    }

    /// Moves as much of it as fits.
    pub(super) fn take(&mut self, into: &mut ReadBuf<'_>) {
        let end = self.filled.min(self.taken.saturating_add(into.remaining()));
        into.put_slice(self.bytes.get(self.taken..end).unwrap_or_default());
        self.taken = end;
    }
}

impl Drop for ReadAheadBuffer {
    fn drop(&mut self) {
        let bytes = std::mem::take(&mut self.bytes);
        let mut buffers = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffers.lent -= 1;
        buffers.free.push(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_taken_piece_by_piece() {
        let mut ahead = Arc::new(ReadAheadPool::default()).lend().unwrap();
        assert!(ahead.is_empty());
        ahead.fill(|buffer| buffer.put_slice(b"0123456789"));
        let mut space = [0; 4];
        for (expected, is_last) in [(&b"0123"[..], false), (b"4567", false), (b"89", true)] {
            let mut piece = ReadBuf::new(&mut space);
            ahead.take(&mut piece);
            assert_eq!((piece.filled(), ahead.is_empty()), (expected, is_last));
        }
        ahead.fill(|_| ());
        assert!(ahead.is_empty());
    }

    #[test]
    fn so_many_are_lent_and_come_back() {
        let pool = Arc::new(ReadAheadPool::default());
        for _ in 0..2 {
            let lent: Vec<_> = (0..MAX_BUFFERS).map(|_| pool.lend().unwrap()).collect();
            assert!(pool.lend().is_none());
            drop(lent);
            assert_eq!(pool.0.lock().unwrap().free.len(), MAX_BUFFERS);
        }
        drop((pool.lend(), pool.lend()));
        assert_eq!(pool.0.lock().unwrap().free.len(), MAX_BUFFERS, "none is made while one is free");
    }
}
