//! HTTP/2 (RFC 9113) for a server: the bytes of one connection in, requests out; answers in, bytes
//! out. Priorities are those of RFC 9218, header compression (RFC 7541) is ours.
//!
//! All frames of one read are handled in one go, and all answers gather in one output buffer. A
//! request is decoded into the field lines that HTTP/1 has, and an answer is given as an HTTP/1
//! head, so one code path answers both. On the way from a request to its answer nothing is
//! allocated: the buffers that a connection works in are used again for each request.
//!
//! ```
//! # use zs_proto::h2::{Connection, Event, Settings};
//! # let (mut connection, input, now_s) = (Connection::new(&Settings::default()), Vec::<u8>::new(), 0);
//! let mut consumed = 0; // what is left of `input` after the loop is the start of a frame: keep it
//! loop {
//!     let step = connection.handle_bytes(now_s, &input[consumed..]);
//!     consumed += step.consumed;
//!     match step.event {
//!         None => break,
//!         Some(Event::Request { stream, .. }) => {
//!             let head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";
//!             connection.send_head(stream, head, false);
//!             connection.send_data(stream, b"ok", true);
//!         }
//!         Some(_) => {}
//!     }
//! }
//! while let Some((stream, bytes)) = connection.poll_writable() {
//!     // give `stream` up to `bytes` more of its body with `send_data`
//! }
//! let to_the_peer = std::mem::take(connection.output());
//! ```

mod budget;
mod connection;
mod core;
mod event;
mod fault;
mod field_kind;
mod flow;
mod frame;
mod head;
mod hpack;
mod priority;
mod receive;
mod send;
mod stream;

#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
#[cfg(test)]
mod tests;

pub use connection::{Connection, Settings};
pub use event::{Cause, Event, Step};
pub use fault::{Counters, ErrorCode, Fault, Misuse};
pub use frame::Preface;
pub use priority::Priority;
pub use stream::StreamId;

/// Largest frame, header included: what must fit the buffer that holds unconsumed input.
pub const FRAME_BYTES_MAX: usize = frame::HEADER_BYTES + crate::limits::H2_FRAME_BYTES_MAX;
