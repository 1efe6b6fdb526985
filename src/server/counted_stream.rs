//! The socket below TLS, which knows whether its peer has been silent.
//!
//! Before an idle connection is closed it must be certain that no request is on its way up. What was received can be
//! in two places where a reader of the plain text does not see it: in the system's buffer, which the runtime sees only
//! when it polls next, and in the TLS layer, as a part of a record.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use crate::server::activity::{ConnectionActivity, ConnectionStage};

/// A socket that counts what it receives, and notes whether its peer reads what is sent.
pub(super) struct CountedStream {
    socket: TcpStream,
    received: u64,
    activity: Arc<ConnectionActivity>,
}

impl CountedStream {
    pub(super) fn new(socket: TcpStream, activity: Arc<ConnectionActivity>) -> Self {
        Self { socket, received: 0, activity }
    }

    pub(super) fn activity(&self) -> &Arc<ConnectionActivity> {
        &self.activity
    }

    /// How many bytes have been read from it.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether the system holds bytes that have not been read. Asks the system itself: the runtime knows only what it
    /// saw when it last polled.
    pub(super) fn has_more(&self) -> bool {
        match recv(&self.socket, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, bytes)) => bytes > 0,
            // If the system cannot say, the next read will.
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
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
        let read = Pin::new(&mut self.socket).poll_read(context, buffer);
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
