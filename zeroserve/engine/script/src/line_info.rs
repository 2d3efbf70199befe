//! Source lines from `.BTF` and `.BTF.ext` (clang `-g`). Optional: what cannot be read is left out, never an error.

use crate::program::Line;

const MAGIC: u16 = 0xeb9f;
/// More lines than slots could ever have.
const LINES_MAX: usize = 256 << 10;

/// Lines by section name; slots count from the section's start.
#[must_use]
pub(crate) fn read(types: &[u8], extension: &[u8]) -> Vec<(String, Vec<Line>)> {
    records(types, extension).unwrap_or_default()
}

fn records(types: &[u8], extension: &[u8]) -> Option<Vec<(String, Vec<Line>)>> {
    let strings = strings(types)?;
    let header_bytes = header(extension)?;
    let start = header_bytes.checked_add(number(extension, 16)?)?;
    let table = extension.get(start..start.checked_add(number(extension, 20)?)?)?;
    let record_bytes = number(table, 0)?;
    if record_bytes < 16 {
        return None;
    }
    let (mut at, mut found, mut count) = (4, Vec::new(), 0);
    while at < table.len() {
        let name = text(strings, number(table, at)?)?;
        let records = number(table, at + 4)?;
        at += 8;
        count += records;
        if count > LINES_MAX {
            return None;
        }
        let mut lines = Vec::new();
        for _ in 0..records {
            let record = table.get(at..at.checked_add(record_bytes)?)?;
            at += record_bytes;
            let line = u32::try_from(number(record, 12)?).ok()? >> 10; // the low ten bits are the column
            if line != 0 {
                let file = text(strings, number(record, 4)?)?;
                let file = file.trim_start_matches("./").to_owned();
                lines.push(Line {
                    slot: number(record, 0)? / 8,
                    file,
                    line,
                });
            }
        }
        found.push((name, lines));
    }
    Some(found)
}

fn header(bytes: &[u8]) -> Option<usize> {
    let magic = u16::from_le_bytes([*bytes.first()?, *bytes.get(1)?]);
    (magic == MAGIC).then(|| number(bytes, 4)).flatten()
}

fn strings(types: &[u8]) -> Option<&[u8]> {
    let start = header(types)?.checked_add(number(types, 16)?)?;
    types.get(start..start.checked_add(number(types, 20)?)?)
}

fn text(strings: &[u8], at: usize) -> Option<String> {
    let rest = strings.get(at..)?;
    let end = rest.iter().position(|&byte| byte == 0)?;
    Some(String::from_utf8_lossy(&rest[..end]).into_owned())
}

fn number(bytes: &[u8], at: usize) -> Option<usize> {
    let field = bytes.get(at..at.checked_add(4)?)?;
    usize::try_from(u32::from_le_bytes(field.try_into().ok()?)).ok()
}
