//! The socket below TLS, which knows whether its peer has been silent.
//!
//! Before an idle connection is closed it must be certain that no request is on its way up. What was received can be
//! in three places where a reader of the plain text does not see it: in the system's buffer, which the runtime sees only
//! when it polls next, in ours ([`read_ahead`](crate::server::read_ahead)), and in the TLS layer, as a part of a record.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::server::activity::{ConnectionActivity, ConnectionStage};
use crate::server::read_ahead::{ReadAheadBuffer, ReadAheadPool};

/// A socket that counts what it receives, and notes whether its peer reads what is sent.
pub(super) struct CountedStream {
    socket: TcpStream,
    /// `None` where it is read directly.
    pool: Option<Arc<ReadAheadPool>>,
    /// What has been read from the system and not been passed on; never empty.
    ahead: Option<ReadAheadBuffer>,
    received: u64,
    activity: Arc<ConnectionActivity>,
}

impl CountedStream {
    /// A socket that is read ahead into buffers of a pool, if there is one.
    pub(super) fn new(
        socket: TcpStream,
        pool: Option<Arc<ReadAheadPool>>,
        activity: Arc<ConnectionActivity>,
    ) -> Self {
        Self { socket, pool, ahead: None, received: 0, activity }
    }

    pub(super) fn activity(&self) -> &Arc<ConnectionActivity> {
        &self.activity
    }

    /// How many bytes have been passed on.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether there are bytes that have not been passed on. Asks the system itself for those that it holds: the runtime
    /// knows only what it saw when it last polled.
    pub(super) fn has_more(&self) -> bool {
        if self.ahead.is_some() {
            return true;
        }
        match recv(&self.socket, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, bytes)) => bytes > 0,
            // If the system cannot say, the next read will.
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    /// Reads what was read ahead or, once that has been passed on, all that the system has.
    fn poll_read_ahead(
        &mut self,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ahead.is_none() {
            let Some(mut ahead) = self.pool.as_ref().and_then(ReadAheadPool::lend) else {
                return Pin::new(&mut self.socket).poll_read(context, buffer);
            };
            ready!(ahead.fill(|space| Pin::new(&mut self.socket).poll_read(context, space)))?;
            self.ahead = Some(ahead);
        }
        if let Some(ahead) = &mut self.ahead {
            ahead.take(buffer);
            if ahead.is_empty() {
                self.ahead = None;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn note_written<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.activity.advance(ConnectionStage::Handshake, ConnectionStage::Greeted);
        match written {
            Poll::Pending => self.activity.advance(ConnectionStage::Working, ConnectionStage::Answer),
            Poll::Ready(_) => self.activity.advance(ConnectionStage::Answer, ConnectionStage::Working),
        }
        written
    }
}

/// A stream on top of a [`CountedStream`].
pub(super) trait HasSocket {
    /// The socket at the bottom.
    fn socket(&self) -> &CountedStream;
}

impl HasSocket for CountedStream {
    fn socket(&self) -> &CountedStream {
        self
    }
}

impl HasSocket for TlsStream<CountedStream> {
    fn socket(&self) -> &CountedStream {
        self.get_ref().0
    }
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.poll_read_ahead(context, buffer);
        let bytes = buffer.filled().len() - before;
        if bytes > 0 {
            self.received += bytes as u64;
            self.activity.received(bytes);
        }
        read
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(context, bytes);
        self.note_written(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(context, slices);
        self.note_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;

    /// What TLS has not been given yet is unread, though the system has no more; and a buffer is held only until then.
    #[tokio::test]
    async fn what_was_read_ahead_counts_as_more() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let activity = ConnectionActivity::new(IpAddr::from([127, 0, 0, 1]), Instant::now(), Arc::default());
        let pool = Arc::new(ReadAheadPool::default());
        let socket = listener.accept().await.unwrap().0;
        let mut stream = CountedStream::new(socket, Some(Arc::clone(&pool)), Arc::new(activity));
        for _ in 0..2 {
            assert!(!stream.has_more());
            assert_eq!(pool.lent(), 0);
            peer.write_all(&[b'x'; 100]).await.unwrap();
            let before = stream.received();
            let mut piece = [0; 60];
            assert_eq!(stream.read(&mut piece).await.unwrap(), 60);
            assert_eq!((stream.received() - before, stream.has_more(), pool.lent()), (60, true, 1));
            assert_eq!(stream.read(&mut piece).await.unwrap(), 40);
            assert_eq!((stream.received() - before, stream.has_more(), pool.lent()), (100, false, 0));
        }
        let mut piece = [0; 60];
        let reading = stream.read(&mut piece);
        assert!(tokio::time::timeout(std::time::Duration::ZERO, reading).await.is_err());
        assert_eq!(pool.lent(), 0, "nothing is held while nothing comes");
        drop(peer);
        assert_eq!(stream.read(&mut piece).await.unwrap(), 0);
        assert_eq!(pool.lent(), 0);
    }
}
