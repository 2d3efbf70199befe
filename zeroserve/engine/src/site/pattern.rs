//! Path patterns of `_headers` and `_redirects`, as Netlify made them known: literal segments,
//! `:name` for one segment, `*` at the end for the rest. Pure.

/// One pattern, ready to match.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    segments: Box<[Segment]>,
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    Placeholder(Box<str>),
    Splat,
}

/// What a pattern's variables stood for.
pub(super) type Captures<'a> = Vec<(&'a str, &'a str)>;

impl Pattern {
    /// # Errors
    /// What is wrong with the text, for its author.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let Some(rest) = text.strip_prefix('/') else {
            return Err(format!("`{text}` does not start with `/`"));
        };
        let mut segments = Vec::new();
        let mut parts = rest.split('/').filter(|part| !part.is_empty()).peekable();
        while let Some(part) = parts.next() {
            segments.push(match part.strip_prefix(':') {
                _ if part == "*" && parts.peek().is_none() => Segment::Splat,
                _ if part.contains('*') => {
                    return Err(format!("`{text}`: `*` may only stand alone at the end"));
                }
                Some("") => return Err(format!("`{text}`: a placeholder without a name")),
                Some(name) => Segment::Placeholder(name.into()),
                None => Segment::Literal(part.into()),
            });
        }
        Ok(Self {
            segments: segments.into(),
        })
    }

    /// Matches a cleaned, decoded path without its outer slashes.
    pub(super) fn captures<'a>(&'a self, path: &'a str) -> Option<Captures<'a>> {
        let mut captures = Vec::new();
        let mut rest = path;
        for segment in &self.segments {
            if *segment == Segment::Splat {
                captures.push(("splat", rest));
                return Some(captures);
            }
            if rest.is_empty() {
                return None;
            }
            let (part, after) = rest.split_once('/').unwrap_or((rest, ""));
            match segment {
                Segment::Literal(literal) if **literal == *part => {}
                Segment::Placeholder(name) => captures.push((name, part)),
                _ => return None,
            }
            rest = after;
        }
        rest.is_empty().then_some(captures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Case = (
        &'static str,
        &'static str,
        Option<&'static [(&'static str, &'static str)]>,
    );

    fn matched<'a>(pattern: &'a Pattern, path: &'a str) -> Option<Captures<'a>> {
        pattern.captures(path)
    }

    #[test]
    fn literals_placeholders_and_splats_match_as_their_users_know_them() {
        let cases: &[Case] = &[
            ("/", "", Some(&[])),
            ("/", "a", None),
            ("/a/b", "a/b", Some(&[])),
            ("/a/b", "a", None),
            ("/a", "a/b", None),
            (
                "/news/:year/:slug",
                "news/2026/x",
                Some(&[("year", "2026"), ("slug", "x")]),
            ),
            ("/news/:year", "news", None),
            ("/*", "", Some(&[("splat", "")])),
            ("/*", "a/b/c", Some(&[("splat", "a/b/c")])),
            ("/blog/*", "blog", Some(&[("splat", "")])),
            ("/blog/*", "blog/a/b", Some(&[("splat", "a/b")])),
            ("/blog/*", "blogs/a", None),
        ];
        for (pattern, path, expected) in cases {
            let parsed = Pattern::parse(pattern).unwrap();
            assert_eq!(
                matched(&parsed, path).as_deref(),
                *expected,
                "{pattern} on {path}"
            );
        }
    }

    #[test]
    fn what_can_not_work_is_refused() {
        for text in ["a", "/a*", "/*/b", "/:/b"] {
            assert!(Pattern::parse(text).is_err(), "{text}");
        }
    }
}
