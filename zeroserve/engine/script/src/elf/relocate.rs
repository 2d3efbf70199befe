//! Relocations: pointers to data, calls of functions and helpers.

use object::elf::{
    R_BPF_64_32, R_BPF_64_64, SHN_COMMON, SHN_UNDEF, SHT_REL, SHT_RELA, STT_FUNC, STT_SECTION,
};
use object::read::elf::{Rel, SectionHeader, Sym};
use object::{SectionIndex, SymbolIndex};

use super::fault::Fault;
use super::{ENDIAN, Linker, NAMES_MAX, R_BPF_64_ABS64};
use crate::error::LoadError;
use crate::layout::{IMAGE_START, pointer};

impl Linker<'_> {
    /// Relocations of one section: (offset in it, type, symbol).
    fn relocations(
        &self,
        target: SectionIndex,
        fault: &Fault<'_>,
    ) -> Result<Vec<(u64, u32, SymbolIndex)>, LoadError> {
        let mut found = Vec::new();
        for section in self.sections.iter() {
            let kind = section.sh_type(ENDIAN);
            if section.sh_info(ENDIAN) as usize != target.0 || (kind != SHT_REL && kind != SHT_RELA)
            {
                continue;
            }
            if kind == SHT_RELA {
                return Err(fault.malformed("relocations with addends (SHT_RELA) are not eBPF's"));
            }
            let entries = section
                .rel(ENDIAN, self.bytes)
                .map_err(|each| fault.malformed(each.to_string()))?;
            for each in entries.map(|(entries, _)| entries).unwrap_or_default() {
                let symbol = SymbolIndex(each.r_sym(ENDIAN) as usize);
                found.push((each.r_offset(ENDIAN), each.r_type(ENDIAN), symbol));
            }
        }
        Ok(found)
    }

    pub(super) fn relocate_code(&mut self, fault: &mut Fault<'_>) -> Result<(), LoadError> {
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
    fn data_offset(
        &self,
        index: SymbolIndex,
        addend: i64,
        fault: &Fault<'_>,
    ) -> Result<u64, LoadError> {
        let symbol = self
            .symbols
            .symbol(index)
            .map_err(|each| fault.malformed(each.to_string()))?;
        let name = self.symbol_name(index);
        match symbol.st_shndx(ENDIAN) {
            SHN_UNDEF => {
                return Err(
                    fault.malformed(format!("`{name}` is used as data and defined nowhere"))
                );
            }
            SHN_COMMON => {
                return Err(
                    fault.malformed(format!("`{name}` is a common symbol: give it a value"))
                );
            }
            _ => {}
        }
        let section = self.symbol_section(index, fault)?;
        let start = section.and_then(|each| self.data.get(&each.0));
        let start = *start
            .ok_or_else(|| fault.malformed(format!("pointer to `{name}`, which is no data")))?;
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
            return Err(fault.malformed(format!(
                "instruction {slot}: data relocation on another instruction"
            )));
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
            return Err(fault.malformed(format!(
                "instruction {slot}: call relocation on another instruction"
            )));
        }
        let symbol = self
            .symbols
            .symbol(index)
            .map_err(|each| fault.malformed(each.to_string()))?;
        let name = self.symbol_name(index);
        let (src, imm) = if symbol.st_shndx(ENDIAN) == SHN_UNDEF {
            (0, self.helper_number(&name, fault)?)
        } else {
            let kind = symbol.st_type();
            if kind != STT_FUNC && kind != STT_SECTION {
                return Err(fault.malformed(format!("call of `{name}`, which is no function")));
            }
            let section = self.symbol_section(index, fault)?;
            let target = self
                .codes
                .iter()
                .position(|each| Some(each.section) == section);
            let target = target
                .ok_or_else(|| fault.malformed(format!("call of `{name}`, which is no code")))?;
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
        found.copied().ok_or_else(|| {
            fault.malformed("call into the middle of nowhere: no function starts there")
        })
    }

    /// Calls inside one section carry the distance and no relocation.
    pub(super) fn resolve_local_calls(&mut self, fault: &mut Fault<'_>) -> Result<(), LoadError> {
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
                        self.codes[code].slots[slot].imm =
                            i32::try_from(function).unwrap_or(i32::MAX);
                    }
                    _ => {
                        return Err(
                            fault.malformed(format!("instruction {slot}: helper called by number"))
                        );
                    }
                }
            }
        }
        Ok(())
    }

    /// Pointers in tables: `const char *names[] = {...}`.
    pub(super) fn relocate_data(&mut self, fault: &mut Fault<'_>) -> Result<(), LoadError> {
        let places: Vec<(usize, usize)> = self
            .data
            .iter()
            .map(|(&index, &start)| (index, start))
            .collect();
        for (index, start) in places {
            let size = self
                .sections
                .section(SectionIndex(index))
                .map_or(0, |each| each.sh_size(ENDIAN));
            fault.enter(&self.section_name(SectionIndex(index)));
            for (offset, kind, symbol) in self.relocations(SectionIndex(index), fault)? {
                if kind != R_BPF_64_ABS64 {
                    return Err(fault.malformed(format!("relocation of type {kind} in data")));
                }
                if offset.checked_add(8).is_none_or(|end| end > size) {
                    return Err(fault.malformed("relocation outside the section"));
                }
                let at = start - IMAGE_START + usize::try_from(offset).unwrap_or(usize::MAX);
                let field = self
                    .program
                    .image
                    .get(at..at + 8)
                    .and_then(|bytes| bytes.try_into().ok());
                let field = field.ok_or_else(|| fault.malformed("relocation in zeroed data"))?;
                let value = self.data_offset(symbol, i64::from_le_bytes(field), fault)?;
                self.program.image[at..at + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
        Ok(())
    }
}

fn halves(value: u64) -> (i32, i32) {
    let bytes = value.to_le_bytes();
    let half =
        |at: usize| i32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    (half(0), half(4))
}
