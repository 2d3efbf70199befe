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
        let mut scripts = Self {
            list: Vec::with_capacity(objects.len()),
            chain: Vec::new(),
            by_name: HashMap::new(),
        };
        for (name, bytes) in objects {
            let module = Module::compile(&name, &bytes, &table)?;
            let index = scripts.list.len();
            let request = module.entries_in(REQUEST_SECTION);
            scripts.chain.extend(request.map(|entry| (index, entry)));
            let calls = module.entries().filter_map(|(id, entry)| {
                let name = entry.section.strip_prefix(CALL_SECTION)?;
                Some((name.to_owned(), id))
            });
            let calls = calls.collect();
            let stem = stem(&name).to_owned();
            scripts.by_name.entry(stem).or_insert(index);
            let name = name.into();
            scripts.list.push(Script {
                name,
                module,
                calls,
            });
        }
        Ok(Arc::new(scripts))
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
