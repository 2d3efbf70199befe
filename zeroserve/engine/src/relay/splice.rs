//! Two streams, each copied into the other. A side that ends is passed on as an end; the other goes on.

use std::cell::Cell;
use std::io;

use futures_util::future::try_join;

use crate::conn::{Link, send_all};

/// Copies until both sides have ended. `sent` counts the bytes that the client was sent, `moved` is told
/// of every piece. With `client_ended` only the server's half is left.
///
/// # Errors
/// When either side was cut off.
pub(super) async fn both_ways<A: Link, B: Link>(
    client: &A,
    server: &B,
    client_ended: bool,
    sent: &Cell<u64>,
    moved: impl Fn(),
) -> io::Result<()> {
    let up = async {
        if client_ended {
            Ok(())
        } else {
            one_way(client, server, &Cell::new(0), &moved).await
        }
    };
    try_join(up, one_way(server, client, sent, &moved)).await?;
    Ok(())
}

async fn one_way<A: Link, B: Link>(
    from: &A,
    to: &B,
    sent: &Cell<u64>,
    moved: &impl Fn(),
) -> io::Result<()> {
    let mut buffer = Vec::new();
    while let Some(chunk) = from.recv().await? {
        buffer.extend_from_slice(&chunk);
        drop(chunk); // the loop's receive buffers are for all
        moved();
        buffer = send_all(to, buffer).await.whole()?;
        sent.set(sent.get() + buffer.len() as u64);
        moved();
        buffer.clear();
    }
    to.shutdown();
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::rc::Rc;

    use super::*;
    use crate::ring;
    use crate::sim::MemoryLink;

    fn pieces(texts: &[&str]) -> Vec<Vec<u8>> {
        texts.iter().map(|text| text.as_bytes().to_vec()).collect()
    }

    fn copy(takes_at_once: usize, client_ended: bool) -> (Vec<u8>, Vec<u8>) {
        let client = MemoryLink::new(pieces(&["hello", " ", "server"]), takes_at_once);
        let server = MemoryLink::new(pieces(&["hello client"]), takes_at_once);
        let (at_client, at_server) = (Rc::clone(&client.received), Rc::clone(&server.received));
        let runtime = ring::runtime().expect("io_uring");
        let sent = Cell::new(0);
        runtime
            .block_on(both_ways(&client, &server, client_ended, &sent, || {}))
            .unwrap();
        assert_eq!(sent.get(), at_client.borrow().len() as u64);
        (at_client.take(), at_server.take())
    }

    #[test]
    fn what_one_side_sends_the_other_gets() {
        for takes_at_once in [1, 3, usize::MAX] {
            let (at_client, at_server) = copy(takes_at_once, false);
            assert_eq!(at_client, b"hello client");
            assert_eq!(at_server, b"hello server");
        }
    }

    #[test]
    fn a_side_that_has_ended_is_not_read_again() {
        let (at_client, at_server) = copy(usize::MAX, true);
        assert_eq!(at_client, b"hello client");
        assert_eq!(at_server, b"");
    }
}
