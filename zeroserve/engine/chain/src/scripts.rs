//! Compiled scripts of one root, in the order in which they run.

use std::collections::HashMap;
use std::sync::Arc;

use zs_script::{EntryId, LoadError, Module};

use crate::context::Context;
use crate::table;

/// Where scripts lie below a root.
pub const SCRIPTS_FOLDER: &str = ".zeroserve/scripts/";
const REQUEST_SECTION: &str = "zeroserve.request";
const CALL_SECTION: &str = "zeroserve.call.";

#[derive(Default)]
pub struct Scripts {
    pub(crate) list: Vec<Script>,
    /// The request entries of all scripts, in order: what a chain runs.
    pub(crate) chain: Vec<(usize, EntryId)>,
    /// By name without `.o`.
    by_name: HashMap<String, usize>,
}

pub(crate) struct Script {
    /// Path below the scripts' folder.
    pub(crate) name: Arc<str>,
    pub(crate) module: Arc<Module<Context>>,
    calls: HashMap<String, EntryId>,
}

impl Scripts {
    /// Compiles objects, given as name and bytes. Takes milliseconds each: not for an event loop. `traced` scripts note every
    /// helper call in their context, for explanations.
    ///
    /// # Errors
    /// The first object that is refused.
    pub fn compile(objects: Vec<(String, Vec<u8>)>, traced: bool) -> Result<Arc<Self>, LoadError> {
        let mut objects = objects;
        objects.sort();
        let table = table::helpers(traced);
        let mut scripts = Self::default();
        for (name, bytes) in objects {
            let module = Module::compile(&name, &bytes, &table)?;
            scripts.add(&name, module);
        }
        Ok(Arc::new(scripts))
    }

    /// One script that is compiled already.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn of_module(name: &str, module: Arc<Module<Context>>) -> Arc<Self> {
        let mut scripts = Self::default();
        scripts.add(name, module);
        Arc::new(scripts)
    }

    fn add(&mut self, name: &str, module: Arc<Module<Context>>) {
        let index = self.list.len();
        let request = module.entries_in(REQUEST_SECTION);
        self.chain.extend(request.map(|entry| (index, entry)));
        let calls = module.entries().filter_map(|(id, entry)| {
            let name = entry.section.strip_prefix(CALL_SECTION)?;
            Some((name.to_owned(), id))
        });
        let calls = calls.collect();
        self.by_name.entry(stem(name).to_owned()).or_insert(index);
        self.list.push(Script {
            name: name.into(),
            module,
            calls,
        });
    }

    /// Whether there is nothing that runs on requests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.chain.is_empty()
    }

    /// Names of all scripts, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.list.iter().map(|script| &*script.name)
    }

    /// A call target: the script's name may end in `.o`.
    pub(crate) fn call_target(&self, script: &str, function: &str) -> Option<(usize, EntryId)> {
        let index = *self.by_name.get(stem(script))?;
        let entry = *self.list[index].calls.get(function)?;
        Some((index, entry))
    }
}

/// The sections that this server has entries in.
pub(crate) const SECTIONS: [&str; 2] = [REQUEST_SECTION, CALL_SECTION];

fn stem(name: &str) -> &str {
    name.strip_suffix(".o").unwrap_or(name)
}
