//! Files on the ring: reads at an offset of the open tarball, appends to a log.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use compio::buf::{BufResult, IntoInner, IoBuf, SetLen};
use compio::driver::op::{ReadAt, WriteAt};

/// The offset that means "where the file stands", as `write` would use.
const FILE_POSITION: u64 = u64::MAX;

/// Reads up to `length` bytes at `offset` behind what `buffer` holds already, and hands it back.
/// Fewer bytes than asked for mean that the file ends there.
pub(crate) async fn read_at(
    file: &Arc<OwnedFd>,
    mut buffer: Vec<u8>,
    mut offset: u64,
    length: usize,
) -> (io::Result<usize>, Vec<u8>) {
    let mut got = 0;
    buffer.reserve(length);
    while got < length {
        let begin = buffer.len();
        let window = buffer.slice(begin..begin + (length - got));
        let op = ReadAt::new(Arc::clone(file), offset, window);
        let BufResult(result, op) = compio::runtime::submit(op).await;
        let mut window = op.into_inner();
        match result {
            Ok(0) => return (Ok(got), window.into_inner()),
            Ok(count) => {
                // SAFETY: the kernel has written `count` bytes at the window's start.
                unsafe { window.advance_to(count) };
                buffer = window.into_inner();
                got += count;
                offset += count as u64;
            }
            Err(error) => return (Err(error), window.into_inner()),
        }
    }
    (Ok(got), buffer)
}

/// Writes all of `buffer` at the file's own position (appending, for a log opened so; pipes and
/// terminals too). Hands it back with the count written; fewer than all when the file took no more.
pub(crate) async fn append(file: &Arc<OwnedFd>, buffer: Vec<u8>) -> (usize, Vec<u8>) {
    let mut window = buffer.slice(0..);
    while window.buf_len() > 0 {
        let op = WriteAt::new(Arc::clone(file), FILE_POSITION, window);
        let BufResult(result, op) = compio::runtime::submit(op).await;
        window = op.into_inner();
        match result {
            Ok(0) | Err(_) => break,
            Ok(count) => {
                let begin = window.begin() + count;
                window = window.into_inner().slice(begin..);
            }
        }
    }
    (window.begin(), window.into_inner())
}
