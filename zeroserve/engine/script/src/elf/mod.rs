//! The loader: the bytes of an ELF object in, a linked [`Program`] out. Every byte is a stranger's.

mod fault;
mod relocate;

use std::collections::HashMap;

use object::elf::{
    EM_BPF, ET_REL, FileHeader64, SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHT_NOBITS, SHT_PROGBITS,
    STT_FUNC,
};
use object::read::elf::{FileHeader, SectionHeader, SectionTable, Sym, SymbolTable};
use object::{LittleEndian, SectionIndex, SymbolIndex};

use crate::error::LoadError;
use crate::instruction::{Instruction, SLOT_BYTES, class, jump};
use crate::layout::{IMAGE_BYTES_MAX, IMAGE_START};
use crate::line_info;
use crate::program::{Entry, Function, Program};
use fault::Fault;

type Elf = FileHeader64<LittleEndian>;
const ENDIAN: LittleEndian = LittleEndian;

/// A pointer in data (`R_BPF_64_ABS64`), which the `object` crate does not name.
const R_BPF_64_ABS64: u32 = 2;

/// Most bytes of an object.
pub const OBJECT_BYTES_MAX: usize = 8 << 20;
/// Most slots of a program.
pub const SLOTS_MAX: usize = 64 << 10;
/// Most functions, and most different helpers, of a program.
pub const NAMES_MAX: usize = 4096;
/// Sections that nobody wants in memory although they are marked so.
const LEFT_OUT: [&str; 1] = [".eh_frame"];

/// Reads and links an object.
///
/// # Errors
/// Anything that is not a well-formed eBPF object, with the section and the reason.
pub fn load(script: &str, bytes: &[u8]) -> Result<Program, LoadError> {
    let mut fault = Fault {
        script,
        section: None,
        place: None,
    };
    if bytes.len() > OBJECT_BYTES_MAX {
        let what = "bytes of the object";
        return Err(fault.too_much(what, bytes.len(), OBJECT_BYTES_MAX));
    }
    let mut linker = Linker::open(bytes, &mut fault)?;
    linker.place_data(&mut fault)?;
    linker.find_functions(&mut fault)?;
    linker.relocate_code(&mut fault)?;
    linker.relocate_data(&mut fault)?;
    linker.resolve_local_calls(&mut fault)?;
    linker.add_lines();
    linker.finish(&mut fault)
}

/// A code section, taken apart.
struct Code {
    section: SectionIndex,
    name: String,
    slots: Vec<Instruction>,
    /// First slot → index of the function.
    starts: HashMap<usize, usize>,
    /// Calls whose target is settled by a relocation.
    settled: Vec<bool>,
}

struct Linker<'data> {
    bytes: &'data [u8],
    sections: SectionTable<'data, Elf>,
    symbols: SymbolTable<'data, Elf>,
    /// Offset in the arena of a data section.
    data: HashMap<usize, usize>,
    codes: Vec<Code>,
    /// (code, first slot, slots) of each function.
    spans: Vec<(usize, usize, usize)>,
    helper_numbers: HashMap<String, usize>,
    program: Program,
}

impl<'data> Linker<'data> {
    fn open(bytes: &'data [u8], fault: &mut Fault<'_>) -> Result<Self, LoadError> {
        let header = Elf::parse(bytes).map_err(|each| fault.not_an_object(each.to_string()))?;
        if !header.is_little_endian() {
            return Err(fault.not_an_object("big endian"));
        }
        if header.e_machine(ENDIAN) != EM_BPF || header.e_type(ENDIAN) != ET_REL {
            return Err(fault.not_an_object("not a relocatable object for eBPF"));
        }
        let failed = |each: object::read::Error| fault.not_an_object(each.to_string());
        let sections = header.sections(ENDIAN, bytes).map_err(failed)?;
        let symbols = sections
            .symbols(ENDIAN, bytes, object::elf::SHT_SYMTAB)
            .map_err(failed)?;
        Ok(Self {
            bytes,
            sections,
            symbols,
            data: HashMap::new(),
            codes: Vec::new(),
            spans: Vec::new(),
            helper_numbers: HashMap::new(),
            program: Program::default(),
        })
    }

    fn section_name(&self, index: SectionIndex) -> String {
        let name = self
            .sections
            .section(index)
            .and_then(|each| self.sections.section_name(ENDIAN, each));
        String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
    }

    /// Gives every data section its place; `.bss` and its kin come last, so that the image stays short.
    fn place_data(&mut self, fault: &mut Fault<'_>) -> Result<(), LoadError> {
        for zeroed in [false, true] {
            for (index, header) in self.sections.enumerate() {
                let flags = header.sh_flags(ENDIAN);
                let kind = header.sh_type(ENDIAN);
                let name = self.section_name(index);
                if flags & u64::from(SHF_ALLOC) == 0 || LEFT_OUT.contains(&name.as_str()) {
                    continue;
                }
                fault.enter(&name);
                if flags & u64::from(SHF_TLS) != 0 {
                    return Err(fault.malformed("thread-local data is not supported"));
                }
                if flags & u64::from(SHF_EXECINSTR) != 0 || (kind == SHT_NOBITS) != zeroed {
                    continue;
                }
                if kind != SHT_NOBITS && kind != SHT_PROGBITS {
                    return Err(fault.malformed(format!("section of unknown kind {kind}")));
                }
                let size = usize::try_from(header.sh_size(ENDIAN)).unwrap_or(usize::MAX);
                let align = header.sh_addralign(ENDIAN).max(1);
                let align = usize::try_from(align)
                    .ok()
                    .filter(|each| each.is_power_of_two() && *each <= 4096);
                let align = align.ok_or_else(|| fault.malformed("bad alignment"))?;
                let start = self.program.image_bytes.next_multiple_of(align);
                let end = start.saturating_add(size);
                if end > IMAGE_BYTES_MAX {
                    let what = "bytes of .rodata, .data and .bss";
                    return Err(fault.too_much(what, end, IMAGE_BYTES_MAX));
                }
                if !zeroed {
                    let bytes = header.data(ENDIAN, self.bytes);
                    let bytes = bytes.map_err(|each| fault.malformed(each.to_string()))?;
                    self.program.image.resize(start, 0);
                    self.program.image.extend_from_slice(bytes);
                }
                self.program.image_bytes = end;
                self.data.insert(index.0, IMAGE_START + start);
            }
        }
        Ok(())
    }

    /// Decodes the code sections and cuts them into functions by their symbols.
    fn find_functions(&mut self, fault: &mut Fault<'_>) -> Result<(), LoadError> {
        let mut slots = 0;
        for (index, header) in self.sections.enumerate() {
            let flags = header.sh_flags(ENDIAN);
            if flags & u64::from(SHF_ALLOC) == 0 || flags & u64::from(SHF_EXECINSTR) == 0 {
                continue;
            }
            let name = self.section_name(index);
            fault.enter(&name);
            if header.sh_type(ENDIAN) != SHT_PROGBITS {
                return Err(fault.malformed("code without bytes"));
            }
            let bytes = header.data(ENDIAN, self.bytes);
            let bytes = bytes.map_err(|each| fault.malformed(each.to_string()))?;
            let (decoded, rest) = bytes.as_chunks::<SLOT_BYTES>();
            if !rest.is_empty() {
                return Err(fault.malformed("size is no multiple of 8"));
            }
            slots += decoded.len();
            if slots > SLOTS_MAX {
                return Err(fault.too_much("instructions", slots, SLOTS_MAX));
            }
            let decoded: Vec<_> = decoded
                .iter()
                .map(|&slot| Instruction::decode(slot))
                .collect();
            let settled = vec![false; decoded.len()];
            self.codes.push(Code {
                section: index,
                name,
                slots: decoded,
                starts: HashMap::new(),
                settled,
            });
            self.cut_section(self.codes.len() - 1, fault)?;
        }
        Ok(())
    }

    fn cut_section(&mut self, code: usize, fault: &mut Fault<'_>) -> Result<(), LoadError> {
        let (section, count) = (self.codes[code].section, self.codes[code].slots.len());
        let mut found: Vec<(usize, usize, String)> = Vec::new();
        for (index, symbol) in self.symbols.enumerate() {
            if symbol.st_type() != STT_FUNC || self.symbol_section(index, fault)? != Some(section) {
                continue;
            }
            let name = self.symbol_name(index);
            let (value, size) = (symbol.st_value(ENDIAN), symbol.st_size(ENDIAN));
            let (start, slots) = (value / SLOT_BYTES as u64, size / SLOT_BYTES as u64);
            let inside =
                value % 8 == 0 && size % 8 == 0 && start.saturating_add(slots) <= count as u64;
            if !inside || slots == 0 {
                return Err(fault.malformed(format!(
                    "function `{name}` is empty or lies outside its section"
                )));
            }
            found.push((
                usize::try_from(start).unwrap_or(0),
                usize::try_from(slots).unwrap_or(0),
                name,
            ));
        }
        found.sort();
        found.dedup_by(|later, first| (later.0, later.1) == (first.0, first.1)); // two names of one function
        for pair in found.windows(2) {
            if pair[0].0 + pair[0].1 > pair[1].0 {
                return Err(fault.malformed(format!(
                    "functions `{}` and `{}` overlap",
                    pair[0].2, pair[1].2
                )));
            }
        }
        for (start, slots, name) in found {
            let function = self.program.functions.len();
            if function >= NAMES_MAX {
                return Err(fault.too_much("functions", function + 1, NAMES_MAX));
            }
            self.codes[code].starts.insert(start, function);
            self.spans.push((code, start, slots));
            let section = self.codes[code].name.clone();
            if !section.starts_with(".text") {
                self.program.entries.push(Entry {
                    section: section.clone(),
                    name: name.clone(),
                    function,
                });
            }
            self.program.functions.push(Function {
                name,
                section,
                ..Function::default()
            });
        }
        Ok(())
    }

    fn symbol_section(
        &self,
        index: SymbolIndex,
        fault: &Fault<'_>,
    ) -> Result<Option<SectionIndex>, LoadError> {
        let symbol = self
            .symbols
            .symbol(index)
            .map_err(|each| fault.malformed(each.to_string()))?;
        let section = self.symbols.symbol_section(ENDIAN, symbol, index);
        section.map_err(|each| fault.malformed(each.to_string()))
    }

    fn symbol_name(&self, index: SymbolIndex) -> String {
        let symbol = self.symbols.symbol(index);
        let name = symbol.and_then(|each| self.symbols.symbol_name(ENDIAN, each));
        String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
    }

    fn add_lines(&mut self) {
        let section = |name: &str| {
            let found = self.sections.section_by_name(ENDIAN, name.as_bytes());
            found.and_then(|(_, header)| header.data(ENDIAN, self.bytes).ok())
        };
        let (Some(types), Some(extension)) = (section(".BTF"), section(".BTF.ext")) else {
            return;
        };
        for (name, lines) in line_info::read(types, extension) {
            for (function, &(code, start, slots)) in self.spans.iter().enumerate() {
                if self.codes[code].name != name {
                    continue;
                }
                let mine = lines
                    .iter()
                    .filter(|each| (start..start + slots).contains(&each.slot));
                let mine = mine.map(|each| crate::program::Line {
                    slot: each.slot - start,
                    ..each.clone()
                });
                self.program.functions[function].lines.extend(mine);
            }
        }
        for function in &mut self.program.functions {
            function.lines.sort_by_key(|each| each.slot);
        }
    }

    fn finish(mut self, fault: &mut Fault<'_>) -> Result<Program, LoadError> {
        for (function, &(code, start, slots)) in self.spans.iter().enumerate() {
            self.program.functions[function].code =
                self.codes[code].slots[start..start + slots].to_vec();
        }
        fault.section = None;
        fault.place = None;
        if self.program.functions.is_empty() {
            return Err(fault.malformed("no function in it"));
        }
        let result = self.program.set_depths();
        if let Err((index, kind)) = result {
            fault.enter(&self.program.functions[index].section);
            return Err(fault.make(kind));
        }
        Ok(self.program)
    }
}

const _: () = assert!(class::JUMP | jump::CALL == 0x85);
