//! The loader: the bytes of an ELF object in, a linked [`Program`] out. Every byte is a stranger's.

use std::collections::HashMap;

use object::elf::{
    EM_BPF, ET_REL, FileHeader64, R_BPF_64_64, R_BPF_64_32, SHF_ALLOC, SHF_EXECINSTR, SHF_TLS,
    SHN_COMMON, SHN_UNDEF, SHT_NOBITS, SHT_PROGBITS, STT_FUNC, STT_SECTION, SHT_REL, SHT_RELA,
};
use object::read::elf::{FileHeader, Rel, SectionHeader, SectionTable, Sym, SymbolTable};
use object::{LittleEndian, SectionIndex, SymbolIndex};

use crate::error::{LoadError, LoadErrorKind};
use crate::instruction::{Instruction, SLOT_BYTES, class, jump};
use crate::layout::{IMAGE_BYTES_MAX, IMAGE_START, pointer};
use crate::line_info;
use crate::program::{Entry, Function, Program};

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
    let mut fault = Fault { script, section: None, place: None };
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

/// Where we are, for the error.
struct Fault<'a> {
    script: &'a str,
    section: Option<String>,
    place: Option<(String, usize)>,
}

impl Fault<'_> {
    fn make(&self, kind: LoadErrorKind) -> LoadError {
        let (section, place) = (self.section.clone(), self.place.clone());
        LoadError { script: self.script.to_owned(), section, place, kind }
    }

    fn malformed(&self, why: impl Into<String>) -> LoadError {
        self.make(LoadErrorKind::Malformed(why.into()))
    }

    fn not_an_object(&self, why: impl Into<String>) -> LoadError {
        self.make(LoadErrorKind::NotAnObject(why.into()))
    }

    fn too_much(&self, what: &'static str, found: usize, limit: usize) -> LoadError {
        self.make(LoadErrorKind::TooMuch { what, found, limit })
    }

    fn enter(&mut self, section: &str) {
        self.section = Some(section.to_owned());
        self.place = None;
    }
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
        let symbols = sections.symbols(ENDIAN, bytes, object::elf::SHT_SYMTAB).map_err(failed)?;
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
        let name = self.sections.section(index).and_then(|each| self.sections.section_name(ENDIAN, each));
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
                let align = usize::try_from(align).ok().filter(|each| each.is_power_of_two() && *each <= 4096);
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
            let decoded: Vec<_> = decoded.iter().map(|&slot| Instruction::decode(slot)).collect();
            let settled = vec![false; decoded.len()];
            self.codes.push(Code { section: index, name, slots: decoded, starts: HashMap::new(), settled });
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
            let inside = value % 8 == 0 && size % 8 == 0 && start.saturating_add(slots) <= count as u64;
            if !inside || slots == 0 {
                return Err(fault.malformed(format!("function `{name}` is empty or lies outside its section")));
            }
            found.push((usize::try_from(start).unwrap_or(0), usize::try_from(slots).unwrap_or(0), name));
        }
        found.sort();
        found.dedup_by(|later, first| (later.0, later.1) == (first.0, first.1)); // two names of one function
        for pair in found.windows(2) {
            if pair[0].0 + pair[0].1 > pair[1].0 {
                return Err(fault.malformed(format!("functions `{}` and `{}` overlap", pair[0].2, pair[1].2)));
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
                self.program.entries.push(Entry { section: section.clone(), name: name.clone(), function });
            }
            self.program.functions.push(Function { name, section, ..Function::default() });
        }
        Ok(())
    }

    fn symbol_section(&self, index: SymbolIndex, fault: &Fault<'_>) -> Result<Option<SectionIndex>, LoadError> {
        let symbol = self.symbols.symbol(index).map_err(|each| fault.malformed(each.to_string()))?;
        let section = self.symbols.symbol_section(ENDIAN, symbol, index);
        section.map_err(|each| fault.malformed(each.to_string()))
    }

    fn symbol_name(&self, index: SymbolIndex) -> String {
        let symbol = self.symbols.symbol(index);
        let name = symbol.and_then(|each| self.symbols.symbol_name(ENDIAN, each));
        String::from_utf8_lossy(name.unwrap_or_default()).into_owned()
    }

    /// Relocations of one section: (offset in it, type, symbol).
    fn relocations(&self, target: SectionIndex, fault: &Fault<'_>) -> Result<Vec<(u64, u32, SymbolIndex)>, LoadError> {
        let mut found = Vec::new();
        for section in self.sections.iter() {
            let kind = section.sh_type(ENDIAN);
            if section.sh_info(ENDIAN) as usize != target.0 || (kind != SHT_REL && kind != SHT_RELA) {
                continue;
            }
            if kind == SHT_RELA {
                return Err(fault.malformed("relocations with addends (SHT_RELA) are not eBPF's"));
            }
            let entries = section.rel(ENDIAN, self.bytes).map_err(|each| fault.malformed(each.to_string()))?;
            for each in entries.map(|(entries, _)| entries).unwrap_or_default() {
                let symbol = SymbolIndex(each.r_sym(ENDIAN) as usize);
                found.push((each.r_offset(ENDIAN), each.r_type(ENDIAN), symbol));
            }
        }
        Ok(found)
    }

    fn relocate_code(&mut self, fault: &mut Fault<'_>) -> Result<(), LoadError> {
        for code in 0..self.codes.len() {
            fault.enter(&self.codes[code].name.clone());
            for (offset, kind, symbol) in self.relocations(self.codes[code].section, fault)? {
                let slot = usize::try_from(offset / 8).unwrap_or(usize::MAX);
                if offset % 8 != 0 || slot >= self.codes[code].slots.len() {
                    return Err(fault.malformed("relocation outside the section"));
                }
                match kind {
                    R_BPF_64_64 => self.relocate_wide(code, slot, symbol, fault)?,
                    R_BPF_64_32 => self.relocate_call(code, slot, symbol, fault)?,
                    other => return Err(fault.malformed(format!("relocation of type {other}"))),
                }
            }
        }
        Ok(())
    }

    /// Offset in the arena that a symbol of a data section stands for.
    fn data_offset(&self, index: SymbolIndex, addend: i64, fault: &Fault<'_>) -> Result<u64, LoadError> {
        let symbol = self.symbols.symbol(index).map_err(|each| fault.malformed(each.to_string()))?;
        let name = self.symbol_name(index);
        match symbol.st_shndx(ENDIAN) {
            SHN_UNDEF => return Err(fault.malformed(format!("`{name}` is used as data and defined nowhere"))),
            SHN_COMMON => return Err(fault.malformed(format!("`{name}` is a common symbol: give it a value"))),
            _ => {}
        }
        let section = self.symbol_section(index, fault)?;
        let start = section.and_then(|each| self.data.get(&each.0));
        let start = *start.ok_or_else(|| fault.malformed(format!("pointer to `{name}`, which is no data")))?;
        let inside = symbol.st_value(ENDIAN).wrapping_add_signed(addend);
        // A pointer just behind the last object is good C, one further away is not ours to judge: it is masked.
        Ok(pointer(start).wrapping_add(inside))
    }

    fn relocate_wide(
        &mut self,
        code: usize,
        slot: usize,
        symbol: SymbolIndex,
        fault: &Fault<'_>,
    ) -> Result<(), LoadError> {
        let slots = &self.codes[code].slots;
        if !slots[slot].is_wide() || slot + 1 >= slots.len() {
            return Err(fault.malformed(format!("instruction {slot}: data relocation on another instruction")));
        }
        let addend = i64::from(slots[slot].imm);
        let value = self.data_offset(symbol, addend, fault)?;
        let slots = &mut self.codes[code].slots;
        (slots[slot].imm, slots[slot + 1].imm) = halves(value);
        slots[slot].src = 0;
        Ok(())
    }

    fn relocate_call(
        &mut self,
        code: usize,
        slot: usize,
        index: SymbolIndex,
        fault: &Fault<'_>,
    ) -> Result<(), LoadError> {
        let call = self.codes[code].slots[slot];
        if !call.is_call() {
            return Err(fault.malformed(format!("instruction {slot}: call relocation on another instruction")));
        }
        let symbol = self.symbols.symbol(index).map_err(|each| fault.malformed(each.to_string()))?;
        let name = self.symbol_name(index);
        let (src, imm) = if symbol.st_shndx(ENDIAN) == SHN_UNDEF {
            (0, self.helper_number(&name, fault)?)
        } else {
            let kind = symbol.st_type();
            if kind != STT_FUNC && kind != STT_SECTION {
                return Err(fault.malformed(format!("call of `{name}`, which is no function")));
            }
            let section = self.symbol_section(index, fault)?;
            let target = self.codes.iter().position(|each| Some(each.section) == section);
            let target = target.ok_or_else(|| fault.malformed(format!("call of `{name}`, which is no code")))?;
            let first = i64::try_from(symbol.st_value(ENDIAN) / 8).unwrap_or(i64::MAX);
            let first = first.saturating_add(i64::from(call.imm) + 1);
            (1, self.function_at(target, first, fault)?)
        };
        let call = &mut self.codes[code].slots[slot];
        call.src = src;
        call.imm = i32::try_from(imm).unwrap_or(i32::MAX);
        self.codes[code].settled[slot] = true;
        Ok(())
    }

    fn helper_number(&mut self, name: &str, fault: &Fault<'_>) -> Result<usize, LoadError> {
        let next = self.program.helpers.len();
        if next >= NAMES_MAX {
            return Err(fault.too_much("helpers", next + 1, NAMES_MAX));
        }
        let number = *self.helper_numbers.entry(name.to_owned()).or_insert(next);
        if number == next {
            self.program.helpers.push(name.to_owned());
        }
        Ok(number)
    }

    fn function_at(&self, code: usize, slot: i64, fault: &Fault<'_>) -> Result<usize, LoadError> {
        let start = usize::try_from(slot).ok();
        let found = start.and_then(|each| self.codes[code].starts.get(&each));
        found.copied().ok_or_else(|| fault.malformed("call into the middle of nowhere: no function starts there"))
    }

    /// Calls inside one section carry the distance and no relocation.
    fn resolve_local_calls(&mut self, fault: &mut Fault<'_>) -> Result<(), LoadError> {
        for code in 0..self.codes.len() {
            fault.enter(&self.codes[code].name.clone());
            let mut behind_wide = false;
            for slot in 0..self.codes[code].slots.len() {
                let each = self.codes[code].slots[slot];
                let skip = behind_wide;
                behind_wide = !skip && each.is_wide();
                if skip || !each.is_call() || self.codes[code].settled[slot] {
                    continue;
                }
                match each.src {
                    1 => {
                        let target = slot as i64 + 1 + i64::from(each.imm);
                        let function = self.function_at(code, target, fault)?;
                        self.codes[code].slots[slot].imm = i32::try_from(function).unwrap_or(i32::MAX);
                    }
                    _ => return Err(fault.malformed(format!("instruction {slot}: helper called by number"))),
                }
            }
        }
        Ok(())
    }

    /// Pointers in tables: `const char *names[] = {...}`.
    fn relocate_data(&mut self, fault: &mut Fault<'_>) -> Result<(), LoadError> {
        let places: Vec<(usize, usize)> = self.data.iter().map(|(&index, &start)| (index, start)).collect();
        for (index, start) in places {
            let size = self.sections.section(SectionIndex(index)).map_or(0, |each| each.sh_size(ENDIAN));
            fault.enter(&self.section_name(SectionIndex(index)));
            for (offset, kind, symbol) in self.relocations(SectionIndex(index), fault)? {
                if kind != R_BPF_64_ABS64 {
                    return Err(fault.malformed(format!("relocation of type {kind} in data")));
                }
                if offset.checked_add(8).is_none_or(|end| end > size) {
                    return Err(fault.malformed("relocation outside the section"));
                }
                let at = start - IMAGE_START + usize::try_from(offset).unwrap_or(usize::MAX);
                let field = self.program.image.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
                let field = field.ok_or_else(|| fault.malformed("relocation in zeroed data"))?;
                let value = self.data_offset(symbol, i64::from_le_bytes(field), fault)?;
                self.program.image[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        Ok(())
    }

    fn add_lines(&mut self) {
        let section = |name: &str| {
            let found = self.sections.section_by_name(ENDIAN, name.as_bytes());
            found.and_then(|(_, header)| header.data(ENDIAN, self.bytes).ok())
        };
        let (Some(types), Some(extension)) = (section(".BTF"), section(".BTF.ext")) else { return };
        for (name, lines) in line_info::read(types, extension) {
            for (function, &(code, start, slots)) in self.spans.iter().enumerate() {
                if self.codes[code].name != name {
                    continue;
                }
                let mine = lines.iter().filter(|each| (start..start + slots).contains(&each.slot));
                let mine = mine.map(|each| crate::program::Line { slot: each.slot - start, ..each.clone() });
                self.program.functions[function].lines.extend(mine);
            }
        }
        for function in &mut self.program.functions {
            function.lines.sort_by_key(|each| each.slot);
        }
    }

    fn finish(mut self, fault: &mut Fault<'_>) -> Result<Program, LoadError> {
        for (function, &(code, start, slots)) in self.spans.iter().enumerate() {
            self.program.functions[function].code = self.codes[code].slots[start..start + slots].to_vec();
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

fn halves(value: u64) -> (i32, i32) {
    let bytes = value.to_le_bytes();
    let half = |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (half(0), half(4))
}

const _: () = assert!(class::JUMP | jump::CALL == 0x85);
