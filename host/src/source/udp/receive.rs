//! Many datagrams with one call of the kernel: recvmmsg(2), with the kernel's count of what it dropped.
//!
//! In: a bound socket and the size of its receive buffer. Out: up to [`DATAGRAMS`] datagrams, each whole (a datagram over UDP has at most 65,507
//! bytes of content), and the growth of `SO_RXQ_OVFL`, a u32 that wraps. The count comes with each datagram and tells of drops before it;
//! what was dropped since the last one is asked of `SO_MEMINFO`, so that drops show although nothing comes any more. Errors are those of the kernel.

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::time::Duration;

/// Enough that the call is nothing per datagram.
pub const DATAGRAMS: usize = 64;

/// Longest content of a datagram, rounded up.
const DATAGRAM_BYTES: usize = 64 << 10;

/// Room for the one control message that is asked for, a u32; aligned as its header is.
const CONTROL_WORDS: usize = 4;

/// Position of the drops in what `SO_MEMINFO` gives (linux/sock_diag.h).
const MEMINFO_DROPS: usize = 8;
const MEMINFO_LEN: usize = 9;

pub struct Receiver {
    socket: UdpSocket,
    buffer_bytes: u64,
    buffer: Vec<u8>,
    control: Vec<[u64; CONTROL_WORDS]>,
    lengths: Vec<usize>,
    /// The kernel's count, as last seen.
    dropped: u32,
    /// Growth of it that was not taken yet.
    drops: u64,
}

impl Receiver {
    pub fn new(socket: UdpSocket, buffer_bytes: u64) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let fd = socket.as_raw_fd();
        set(fd, libc::SO_RXQ_OVFL, 1)?;
        set(fd, libc::SO_RCVBUF, libc::c_int::try_from(buffer_bytes).unwrap_or(libc::c_int::MAX))?;
        // The kernel doubles what it is asked for, for its own overhead, and says the double (socket(7)).
        let doubled = get(fd, libc::SO_RCVBUF)?;
        Ok(Self {
            socket,
            buffer_bytes: u64::try_from(doubled).unwrap_or(0) / 2,
            buffer: vec![0; DATAGRAMS * DATAGRAM_BYTES],
            control: vec![[0; CONTROL_WORDS]; DATAGRAMS],
            lengths: Vec::with_capacity(DATAGRAMS),
            dropped: 0,
            drops: 0,
        })
    }

    /// What the kernel granted.
    pub fn buffer_bytes(&self) -> u64 {
        self.buffer_bytes
    }

    /// Waits until a datagram is there or the time is over.
    pub fn wait(&self, wait: Duration) -> io::Result<()> {
        super::super::wait_readable(self.socket.as_raw_fd(), wait).map(drop)
    }

    /// Takes what is there, without waiting; how many datagrams.
    pub fn receive(&mut self) -> io::Result<usize> {
        self.lengths.clear();
        let pieces = self.buffer.chunks_exact_mut(DATAGRAM_BYTES);
        let mut places: Vec<libc::iovec> = pieces
            .map(|piece| libc::iovec { iov_base: piece.as_mut_ptr().cast(), iov_len: piece.len() })
            .collect();
        let mut headers: Vec<libc::mmsghdr> =
            places.iter_mut().zip(&mut self.control).map(|(place, control)| header(place, control)).collect();
        // SAFETY: each header points at one iovec and one control buffer, whose lengths it gives; all of them, and the buffer behind the iovecs,
        // outlive the call and are used by nothing else during it.
        let count = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                headers.as_mut_ptr(),
                headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            let nothing = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            return if nothing { Ok(0) } else { Err(error) };
        }
        let mut newest = None;
        for header in headers.iter().take(count as usize) {
            self.lengths.push((header.msg_len as usize).min(DATAGRAM_BYTES));
            newest = dropped(&header.msg_hdr).or(newest);
        }
        drop(headers);
        if let Some(newest) = newest {
            self.note(newest);
        }
        Ok(self.lengths.len())
    }

    /// Those that the last [`Self::receive`] took.
    pub fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let pieces = self.buffer.chunks_exact(DATAGRAM_BYTES);
        pieces.zip(&self.lengths).map(|(piece, length)| piece.get(..*length).unwrap_or(piece))
    }

    /// Datagrams that the kernel dropped since the last call.
    pub fn take_drops(&mut self) -> u64 {
        // Where the kernel does not know the question, the count that comes with datagrams is all there is.
        if let Some(newest) = meminfo_drops(self.socket.as_raw_fd()) {
            self.note(newest);
        }
        mem::take(&mut self.drops)
    }

    fn note(&mut self, newest: u32) {
        let grown = newest.wrapping_sub(self.dropped);
        // The two counts are read at different times: an older one is no growth of four thousand million.
        if grown < u32::MAX / 2 {
            self.dropped = newest;
            self.drops += u64::from(grown);
        }
    }
}

fn header(place: &mut libc::iovec, control: &mut [u64; CONTROL_WORDS]) -> libc::mmsghdr {
    // SAFETY: a header is plain numbers and pointers, for all of which zero is valid.
    let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
    header.msg_hdr.msg_iov = place;
    header.msg_hdr.msg_iovlen = 1;
    header.msg_hdr.msg_control = control.as_mut_ptr().cast();
    header.msg_hdr.msg_controllen = size_of_val(control) as _;
    header
}

/// The count of dropped datagrams that came with one.
fn dropped(header: &libc::msghdr) -> Option<u32> {
    // SAFETY: the kernel filled the control buffer of this header, which still lives, and set its length; the macros stay within it.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(found) = message.as_ref() {
            if found.cmsg_level == libc::SOL_SOCKET && found.cmsg_type == libc::SO_RXQ_OVFL {
                return Some(libc::CMSG_DATA(message).cast::<u32>().read_unaligned());
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
    None
}

fn set(fd: RawFd, option: libc::c_int, value: libc::c_int) -> io::Result<()> {
    let length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the value is an int of that length, read during the call.
    let result = unsafe { libc::setsockopt(fd, libc::SOL_SOCKET, option, (&raw const value).cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn get(fd: RawFd, option: libc::c_int) -> io::Result<libc::c_int> {
    let mut value: libc::c_int = 0;
    let mut length = size_of_val(&value) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to the value.
    let result =
        unsafe { libc::getsockopt(fd, libc::SOL_SOCKET, option, (&raw mut value).cast(), &raw mut length) };
    if result == 0 { Ok(value) } else { Err(io::Error::last_os_error()) }
}

fn meminfo_drops(fd: RawFd) -> Option<u32> {
    let mut values = [0_u32; MEMINFO_LEN];
    let mut length = size_of_val(&values) as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to the values.
    let result = unsafe {
        libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_MEMINFO, values.as_mut_ptr().cast(), &raw mut length)
    };
    (result == 0 && length as usize >= size_of_val(&values))
        .then(|| values.get(MEMINFO_DROPS).copied())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(buffer_bytes: u64) -> (Receiver, UdpSocket) {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(socket.local_addr().unwrap()).unwrap();
        (Receiver::new(socket, buffer_bytes).unwrap(), client)
    }

    #[test]
    fn many_datagrams_come_with_one_call_each_whole() {
        let (mut receiver, client) = pair(1 << 20);
        for n in 0..DATAGRAMS {
            client.send(format!("datagram {n}").as_bytes()).unwrap();
        }
        let longest = vec![b'x'; 65_507];
        client.send(&longest).unwrap();
        receiver.wait(Duration::from_secs(5)).unwrap();
        assert_eq!(receiver.receive().unwrap(), DATAGRAMS);
        assert_eq!(receiver.datagrams().last().unwrap(), format!("datagram {}", DATAGRAMS - 1).as_bytes());
        assert_eq!(receiver.receive().unwrap(), 1);
        assert_eq!(receiver.datagrams().next().unwrap(), longest);
        assert_eq!((receiver.receive().unwrap(), receiver.take_drops()), (0, 0));
    }

    #[test]
    fn what_the_kernel_dropped_is_counted_exactly_before_and_after_the_last_datagram() {
        let (mut receiver, client) = pair(8 << 10);
        let datagram = [b'x'; 1_000];
        for _ in 0..200 {
            client.send(&datagram).unwrap();
        }
        let mut taken = 0;
        loop {
            let count = receiver.receive().unwrap();
            taken += count as u64;
            if count == 0 {
                break;
            }
        }
        let drops = receiver.take_drops();
        assert!(drops > 0 && taken > 0, "{taken} taken, {drops} dropped");
        assert_eq!(taken + drops, 200);
        assert_eq!(receiver.take_drops(), 0);
    }

    #[test]
    fn the_granted_size_is_what_the_kernel_says() {
        let (receiver, _client) = pair(64 << 10);
        assert_eq!(receiver.buffer_bytes(), 64 << 10);
        let (receiver, _client) = pair(1 << 30);
        assert!(receiver.buffer_bytes() < 1 << 30, "{}", receiver.buffer_bytes());
    }
}
