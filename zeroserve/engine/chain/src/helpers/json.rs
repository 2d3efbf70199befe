//! JSON documents.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[];
