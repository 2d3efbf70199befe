//! A script's own response, and the head of any response while hooks look at it.

use crate::field_block::FieldBlock;
use crate::json::Document;

/// What `zs_respond` sets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// 100 to 999.
    pub status: u16,
    pub body: Vec<u8>,
    /// `application/json`; else plain text, unless a script sets another.
    pub json: bool,
}

/// A finished response's head, in a hook.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResponseHead {
    pub(crate) status: u16,
    pub(crate) fields: FieldBlock,
}

/// A call target that looks at the response's head before it goes out.
#[derive(Debug)]
pub(crate) struct Hook {
    /// Its name, with or without `.o`.
    pub(crate) script: String,
    pub(crate) function: String,
    pub(crate) argument: Document,
}
