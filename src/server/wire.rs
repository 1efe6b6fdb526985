//! The socket under TLS, which can tell whether its peer is silent.
//!
//! Before an idle connection is closed it must be known that no request is on its way up. What was received
//! may lie in two places where a reader of the plain text does not see it: in the system's buffer, of which
//! the runtime learns only when it looks next, and in the TLS layer, as part of a record.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::activity::{Activity, Stage};

/// A socket that counts what it receives, and notes whether its peer takes what is sent.
pub(super) struct Wire {
    socket: TcpStream,
    received: u64,
    activity: Arc<Activity>,
}

impl Wire {
    pub(super) fn new(socket: TcpStream, activity: Arc<Activity>) -> Self {
        Self { socket, received: 0, activity }
    }

    pub(super) fn activity(&self) -> &Arc<Activity> {
        &self.activity
    }

    /// How many bytes were read from it so far.
    pub(super) fn received(&self) -> u64 {
        self.received
    }

    /// Whether the system holds bytes that were not read yet. Asks the system itself: the runtime knows only
    /// what it was told when it last looked.
    pub(super) fn has_more(&self) -> bool {
        match recv(&self.socket, &mut [0], RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((_, bytes)) => bytes > 0,
            // Where it cannot be told, the next read will.
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        }
    }

    fn note_written<T>(&self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.activity.advance(Stage::Handshake, Stage::Greeted);
        match written {
            Poll::Pending => self.activity.advance(Stage::Working, Stage::Answer),
            Poll::Ready(_) => self.activity.advance(Stage::Answer, Stage::Working),
        }
        written
    }
}

/// What runs over a [`Wire`].
pub(super) trait OverWire {
    /// The socket at the bottom.
    fn wire(&self) -> &Wire;
}

impl OverWire for Wire {
    fn wire(&self) -> &Wire {
        self
    }
}

impl OverWire for TlsStream<Wire> {
    fn wire(&self) -> &Wire {
        self.get_ref().0
    }
}

impl AsyncRead for Wire {
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

impl AsyncWrite for Wire {
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
