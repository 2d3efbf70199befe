//! Which certificates may answer for a name, best first. A table of names, without certificates.

use std::cmp::Reverse;

use std::collections::HashMap;

/// What the table needs of a certificate. Times in seconds since 1970.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// DNS names in lower case, `*.x` among them.
    pub(super) names: Vec<Box<str>>,
    pub(super) not_before: i64,
    pub(super) not_after: i64,
    /// ECDSA signs at a fraction of RSA's cost.
    pub(super) ecdsa: bool,
}

impl Candidate {
    const fn valid(&self, now: i64) -> bool {
        self.not_before <= now && now <= self.not_after
    }
}

/// Certificates are known by their place in the list that the table was made from; its order is the
/// order of preference where nothing else decides.
#[derive(Debug)]
pub(super) struct Choice {
    candidates: Vec<Candidate>,
    exact: HashMap<Box<str>, Vec<usize>>,
    /// By the name behind `*.`.
    wildcard: HashMap<Box<str>, Vec<usize>>,
    every_name: bool,
}

impl Choice {
    /// With `every_name` all of `candidates` answer for any name.
    pub(super) fn new(candidates: Vec<Candidate>, every_name: bool) -> Self {
        let mut exact: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let mut wildcard: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        for (place, candidate) in candidates.iter().enumerate() {
            for name in &candidate.names {
                match name.strip_prefix("*.") {
                    Some(parent) => wildcard.entry(parent.into()).or_default().push(place),
                    None => exact.entry(name.clone()).or_default().push(place),
                }
            }
        }
        for places in exact.values_mut().chain(wildcard.values_mut()) {
            places.sort_by_key(|&place| Reverse(candidates[place].ecdsa));
        }
        Self {
            candidates,
            exact,
            wildcard,
            every_name,
        }
    }

    /// Whether anything answers for `name`, which is in lower case.
    pub(super) fn covers(&self, name: &str) -> bool {
        self.every_name || !(self.exact(name).is_empty() && self.wildcard(name).is_empty())
    }

    /// Those that answer for `name` (lower case), best first: an exact name before a wildcard, and all
    /// that are outside their time last. Without a name all, in their order.
    pub(super) fn choose(&self, name: Option<&str>, now: i64) -> Vec<usize> {
        let mut places: Vec<usize> = match name {
            Some(name) if !self.every_name => {
                let (exact, wildcard) = (self.exact(name), self.wildcard(name));
                exact.iter().chain(wildcard).copied().collect()
            }
            _ => (0..self.candidates.len()).collect(),
        };
        // Stable: within each half the order stays.
        places.sort_by_key(|&place| !self.candidates[place].valid(now));
        places
    }

    fn exact(&self, name: &str) -> &[usize] {
        self.exact.get(name).map_or(&[], Vec::as_slice)
    }

    /// A wildcard stands for one whole label (RFC 9525 section 6.3).
    fn wildcard(&self, name: &str) -> &[usize] {
        match name.split_once('.') {
            Some((label, parent)) if !label.is_empty() => {
                self.wildcard.get(parent).map_or(&[], Vec::as_slice)
            }
            _ => &[],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000;

    fn candidate(names: &[&str], ecdsa: bool) -> Candidate {
        Candidate {
            names: names.iter().map(|&name| name.into()).collect(),
            not_before: NOW - 1000,
            not_after: NOW + 1000,
            ecdsa,
        }
    }

    fn choice(candidates: &[Candidate]) -> Choice {
        Choice::new(candidates.to_vec(), false)
    }

    #[test]
    fn an_exact_name_goes_before_a_wildcard() {
        let table = choice(&[
            candidate(&["*.a.test"], true),
            candidate(&["x.a.test"], false),
        ]);
        assert_eq!(table.choose(Some("x.a.test"), NOW), [1, 0]);
        assert_eq!(table.choose(Some("y.a.test"), NOW), [0]);
    }

    #[test]
    fn a_wildcard_stands_for_one_label() {
        let table = choice(&[candidate(&["*.a.test", "w*.b.test"], true)]);
        for other in ["a.test", ".a.test", "x.y.a.test", "www.b.test", "test", ""] {
            assert!(!table.covers(other), "{other}");
            assert!(table.choose(Some(other), NOW).is_empty(), "{other}");
        }
        assert!(table.covers("x.a.test"));
    }

    #[test]
    fn ecdsa_goes_before_rsa_and_both_are_offered() {
        let table = choice(&[candidate(&["a.test"], false), candidate(&["a.test"], true)]);
        assert_eq!(table.choose(Some("a.test"), NOW), [1, 0]);
    }

    #[test]
    fn what_is_outside_its_time_comes_last() {
        let mut old = candidate(&["a.test"], true);
        old.not_after = NOW - 1;
        let mut coming = candidate(&["*.test"], true);
        coming.not_before = NOW + 1;
        let table = choice(&[old, coming, candidate(&["*.test"], false)]);
        assert_eq!(table.choose(Some("a.test"), NOW), [2, 0, 1]);
        assert_eq!(table.choose(None, NOW), [2, 0, 1]);
        let later = table.choose(Some("a.test"), NOW + 1);
        assert_eq!(later, [1, 2, 0], "time goes on while the table stays");
    }

    #[test]
    fn a_single_pair_answers_for_every_name() {
        let table = Choice::new(vec![candidate(&["a.test"], true)], true);
        assert!(table.covers("b.test"));
        assert_eq!(table.choose(Some("b.test"), NOW), [0]);
    }
}
