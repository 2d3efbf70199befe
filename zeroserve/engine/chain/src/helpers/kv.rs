//! State that outlives requests.

use crate::table::Row;

pub(super) const ROWS: &[Row] = &[];

#[derive(Default)]
pub(crate) struct Store;
