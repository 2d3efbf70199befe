//! One `ECHConfig` (RFC 9849, section 4), as far as a server looks into it: its id and its public name.

/// `encrypted_client_hello`, the only version there is.
const VERSION: u16 = 0xfe0d;

/// What is read of a config. The bytes themselves are what clients know it by and are never made anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EchConfig<'b> {
    /// The byte by which a client says which config it has used.
    pub id: u8,
    /// The name that a client shows in clear.
    pub public_name: &'b str,
}

impl<'b> EchConfig<'b> {
    /// Reads exactly one config. `None` for another version, lengths that don't add up, a name that is
    /// not ASCII.
    #[must_use]
    pub fn parse(bytes: &'b [u8]) -> Option<Self> {
        let (version, rest) = number(bytes)?;
        let (contents, rest) = long(rest)?;
        if version != VERSION || !rest.is_empty() {
            return None;
        }
        let (&id, rest) = contents.split_first()?;
        let (_kem, rest) = number(rest)?;
        let (_public_key, rest) = long(rest)?;
        let (_suites, rest) = long(rest)?;
        let (_name_bytes_max, rest) = rest.split_first()?;
        let (&length, rest) = rest.split_first()?;
        let (name, rest) = rest.split_at_checked(length.into())?;
        let (_extensions, rest) = long(rest)?;
        let public_name = std::str::from_utf8(name).ok()?;
        (rest.is_empty() && !name.is_empty() && name.is_ascii()).then_some(Self { id, public_name })
    }
}

fn number(bytes: &[u8]) -> Option<(u16, &[u8])> {
    let (head, rest) = bytes.split_first_chunk()?;
    Some((u16::from_be_bytes(*head), rest))
}

/// A vector with a length of two bytes.
fn long(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = number(bytes)?;
    rest.split_at_checked(length.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Vec<u8> {
        let mut contents = vec![0x2a, 0, 0x20, 0, 32];
        contents.extend([7; 32]);
        contents.extend([0, 4, 0, 1, 0, 1, 0, 14]);
        contents.extend(b"public.example");
        contents.extend([0, 0]);
        let mut bytes = vec![0xfe, 0x0d, 0, u8::try_from(contents.len()).unwrap()];
        bytes.extend(contents);
        bytes
    }

    #[test]
    fn id_and_public_name_are_read() {
        let bytes = config();
        let expected = EchConfig {
            id: 0x2a,
            public_name: "public.example",
        };
        assert_eq!(EchConfig::parse(&bytes), Some(expected));
    }

    #[test]
    fn anything_else_is_none() {
        let whole = config();
        for end in 0..whole.len() {
            assert_eq!(EchConfig::parse(&whole[..end]), None, "cut at {end}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert_eq!(EchConfig::parse(&longer), None);
        let mut other = whole;
        other[1] = 0x0a;
        assert_eq!(EchConfig::parse(&other), None, "an older draft");
    }
}
