//! Priorities as RFC 9218 has them: an urgency, and whether parts are of use.

use crate::scan::trim;

/// Which streams go first, and how those of one urgency share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// From 0, the most urgent, to 7.
    pub urgency: u8,
    /// Whether a part of the answer is of use: such streams of one urgency take turns. The others
    /// are sent one after the other.
    pub incremental: bool,
}

impl Priority {
    /// Of a request that says nothing. RFC 9218, section 4.2 has such streams one after the other;
    /// but a client that says nothing of priorities may well wait for all its answers at once, so
    /// they take turns.
    pub const UNSAID: Self = Self {
        urgency: 3,
        incremental: true,
    };

    /// Reads the field's value (RFC 9218, section 4). What cannot be read counts as not said.
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        let unsaid = Self {
            urgency: 3,
            incremental: false,
        };
        unsaid.changed_by(value)
    }

    /// What an answer's own `priority` field makes of it: what that does not say stays as the client
    /// said it (RFC 9218, section 8).
    #[must_use]
    pub fn changed_by(self, value: &[u8]) -> Self {
        let mut priority = self;
        for member in value.split(|&byte| byte == b',') {
            let end = member
                .iter()
                .position(|&byte| byte == b';')
                .unwrap_or(member.len());
            match trim(member.get(..end).unwrap_or_default()) {
                [b'u', b'=', digit @ b'0'..=b'7'] => priority.urgency = digit - b'0',
                b"i" | b"i=?1" => priority.incremental = true,
                b"i=?0" => priority.incremental = false,
                _ => {}
            }
        }
        priority
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_nonsense_is_the_default() {
        for (value, urgency, incremental) in [
            ("", 3, false),
            ("u=0", 0, false),
            ("u=5, i", 5, true),
            ("i, u=7", 7, true),
            ("i=?0,u=1;x=y", 1, false),
            ("u=2, i=?1 ;a", 2, true),
            ("u=8", 3, false),
            ("u=-1, i=1", 3, false),
            ("u=1, u=2", 2, false),
            ("ui", 3, false),
        ] {
            assert_eq!(
                Priority::parse(value.as_bytes()),
                Priority {
                    urgency,
                    incremental
                },
                "{value}"
            );
        }
    }
}
