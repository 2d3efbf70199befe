//! Feeds a head whole, then cut at every byte, and wants one verdict.

use zs_proto::error::PeerError;
use zs_proto::h1::parse::{HeadProgress, parse_head};
use zs_proto::message::RequestHead;

/// The verdict on a head that is complete, or wrong, within `bytes`.
///
/// A cut in front of the place where the verdict falls must give "incomplete", and each cut behind
/// it the same verdict.
pub(crate) fn feed(bytes: &[u8]) -> Result<(RequestHead<'_>, usize), PeerError> {
    let whole = parse_head(bytes);
    let mut progress = HeadProgress::new();
    let mut worth_a_look = false;
    for cut in 0..=bytes.len() {
        worth_a_look |= progress.handle_bytes(&bytes[..cut]);
        match (parse_head(&bytes[..cut]), whole) {
            (Ok(None), Ok(Some((_, length)))) => assert!(cut < length, "seen too late, cut {cut}"),
            (Ok(None), Err(_)) => assert!(cut < bytes.len()),
            (part, whole) => assert_eq!(part, whole, "cut at {cut}"),
        }
        if let Ok(Some((_, length))) = whole
            && cut == length
        {
            assert!(worth_a_look, "progress must tell that the head is complete");
        }
    }
    whole.map(|parsed| parsed.expect("the case holds a whole head"))
}

/// The fault of a head, found at whatever cut.
pub(crate) fn refused(bytes: &[u8]) -> PeerError {
    feed(bytes).expect_err(&String::from_utf8_lossy(bytes))
}
