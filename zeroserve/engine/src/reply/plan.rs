//! What is about to be sent: a finished head in bytes, and a body source.

use zs_proto::h1::encode::HeadWriter;

use crate::clock::DATE_LEN;

/// Where body bytes come from.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// All bytes are behind the head already, or there are none.
    Inline,
    /// A range of a member of the tarball.
    Member {
        member: u32,
        start: u64,
        length: u64,
    },
    /// Several ranges of a member, each behind a head of its own, and closing bytes.
    Parts {
        member: u32,
        parts: Box<[Part]>,
        closing: Box<[u8]>,
    },
    /// A page whose placeholders have yet to be filled in; there is no head before that.
    Template { member: u32 },
}

/// One part of `multipart/byteranges`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Part {
    pub(crate) head: Box<[u8]>,
    pub(crate) start: u64,
    pub(crate) length: u64,
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// The head, and with `Body::Inline` the body behind it.
    pub(crate) head: Vec<u8>,
    pub(crate) body: Body,
    /// Bytes of the body, for the log.
    pub(crate) body_bytes: u64,
}

impl Reply {
    /// Bytes of the head alone.
    pub(crate) fn head_bytes(&self) -> usize {
        let inline = match self.body {
            Body::Inline => usize::try_from(self.body_bytes).unwrap_or(usize::MAX),
            Body::Member { .. } | Body::Parts { .. } | Body::Template { .. } => 0,
        };
        self.head.len().saturating_sub(inline)
    }

    /// A head alone.
    pub(crate) const fn bare(status: u16, head: Vec<u8>) -> Self {
        Self {
            status,
            head,
            body: Body::Inline,
            body_bytes: 0,
        }
    }
}

/// What `Connection` says, where it has to say something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ConnectionField {
    Silent,
    Close,
    KeepAlive,
}

/// How every head begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opening {
    pub(crate) date: [u8; DATE_LEN],
    pub(crate) connection: ConnectionField,
}

impl Opening {
    pub(crate) fn head(self, out: &mut Vec<u8>, status: u16) -> HeadWriter<'_> {
        let head = HeadWriter::status(out, status).date(&self.date);
        match self.connection {
            ConnectionField::Silent => head,
            ConnectionField::Close => head.close(),
            ConnectionField::KeepAlive => head.keep_alive(),
        }
    }
}
