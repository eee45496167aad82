//! The bytes of one connection: as they come, or out of TLS.
//!
//! In: an accepted connection. Out: readiness to wait for, and reads that never wait. Plain bytes go from the kernel into the caller's buffer; those of TLS pass through a
//! buffer of one record. A handshake takes at most [`HANDSHAKE_TIME`].

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Two or three round trips, with a slow machine at the other end.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);

/// A sender that asked for answers and does not read them for so long is let go.
const WRITE_TIME: Duration = Duration::from_secs(10);

/// Longest content of a TLS record (RFC 8446, 5.1).
const RECORD_BYTES: usize = 16 << 10;

pub enum Transport {
    Plain(TcpStream),
    Tls(Box<Tls>),
}

pub struct Tls {
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read and not taken yet.
    filled: std::ops::Range<usize>,
    ended: bool,
}

impl Transport {
    pub async fn open(stream: std::net::TcpStream, tls: Option<TlsAcceptor>) -> io::Result<Self> {
        let stream = TcpStream::from_std(stream)?;
        let Some(acceptor) = tls else { return Ok(Self::Plain(stream)) };
        let stream = tokio::time::timeout(HANDSHAKE_TIME, acceptor.accept(stream)).await;
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long");
        let stream = stream.map_err(|_| late())??;
        Ok(Self::Tls(Box::new(Tls { stream, buffer: vec![0; RECORD_BYTES], filled: 0..0, ended: false })))
    }

    /// Waits until there is something to read. May be dropped while it waits.
    pub async fn ready(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.readable().await,
            Self::Tls(tls) if tls.ended || !tls.filled.is_empty() => Ok(()),
            Self::Tls(tls) => {
                let bytes = match tls.stream.read(&mut tls.buffer).await {
                    Ok(bytes) => bytes,
                    // Many clients close without saying so; whether an event was cut shows in the bytes.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => 0,
                    Err(error) => return Err(error),
                };
                tls.ended = bytes == 0;
                tls.filled = 0..bytes;
                Ok(())
            }
        }
    }

    /// All of it, to a sender that takes it in time.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let writing = async {
            match self {
                Self::Plain(stream) => stream.write_all(bytes).await,
                Self::Tls(tls) => {
                    tls.stream.write_all(bytes).await?;
                    tls.stream.flush().await
                }
            }
        };
        let deaf = || io::Error::new(io::ErrorKind::TimedOut, "the sender does not take what it asked for");
        tokio::time::timeout(WRITE_TIME, writing).await.map_err(|_| deaf())?
    }

    /// 0: the sender closed.
    pub fn try_read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.try_read(buffer),
            Self::Tls(tls) if tls.ended => Ok(0),
            Self::Tls(tls) => {
                let bytes = tls.filled.len().min(buffer.len());
                let end = tls.filled.start + bytes;
                match (buffer.get_mut(..bytes), tls.buffer.get(tls.filled.start..end)) {
                    (Some(to), Some(from)) if bytes > 0 => to.copy_from_slice(from),
                    _ => return Err(io::ErrorKind::WouldBlock.into()),
                }
                tls.filled.start = end;
                Ok(bytes)
            }
        }
    }
}
