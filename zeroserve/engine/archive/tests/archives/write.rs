//! A small tar writer: just enough to make every kind of header, right or wrong.

/// Puts a header's checksum right after its bytes were changed.
pub(crate) fn seal(block: &mut [u8; 512]) {
    block[148..156].fill(b' ');
    let sum: u32 = block.iter().map(|&byte| u32::from(byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// A ustar header with this type flag, name and size.
pub(crate) fn header(flag: u8, name: &[u8], size: u64) -> [u8; 512] {
    let mut block = [0; 512];
    block[..name.len()].copy_from_slice(name);
    block[100..108].copy_from_slice(b"0000644\0");
    block[124..136].copy_from_slice(format!("{size:011o}\0").as_bytes());
    block[136..148].copy_from_slice(b"00000000007\0");
    block[156] = flag;
    block[257..265].copy_from_slice(b"ustar\x0000");
    seal(&mut block);
    block
}

/// A tar under construction.
#[derive(Clone, Default)]
pub(crate) struct Tar(pub(crate) Vec<u8>);

impl Tar {
    /// A header as it is, then data padded to whole blocks.
    pub(crate) fn raw(mut self, block: &[u8; 512], data: &[u8]) -> Self {
        self.0.extend_from_slice(block);
        self.0.extend_from_slice(data);
        self.0.resize(self.0.len().next_multiple_of(512), 0);
        self
    }

    pub(crate) fn member(self, flag: u8, name: &str, data: &[u8]) -> Self {
        self.raw(&header(flag, name.as_bytes(), data.len() as u64), data)
    }

    pub(crate) fn file(self, name: &str, data: &[u8]) -> Self {
        self.member(b'0', name, data)
    }

    /// A pax header (`x` or `g`) with these records.
    pub(crate) fn pax(self, flag: u8, records: &[(&str, &str)]) -> Self {
        let text: String = records
            .iter()
            .map(|(key, value)| record(key, value))
            .collect();
        self.member(flag, "PaxHeaders/x", text.as_bytes())
    }

    /// GNU's long name for the next member.
    pub(crate) fn long_name(self, name: &str) -> Self {
        self.member(b'L', "././@LongLink", format!("{name}\0").as_bytes())
    }

    /// The two blocks of zeros that close a tar.
    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.resize(self.0.len() + 1024, 0);
        self.0
    }
}

/// A pax record: its length counts itself.
pub(crate) fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}
