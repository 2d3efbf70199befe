//! The one table of helpers. `sdk/helpers.toml` says the same to the C header and the manual; a test compares them.

use zs_script::{Checked, Function, Helper, HelperTable, Kind, Phases, Raw};

use crate::context::Context;
use crate::scripts::SECTIONS;
use crate::{helpers, trace};

pub(crate) type Row = Helper<Context>;

/// Requests, response hooks, and what runs below them.
pub(crate) const RH: Phases = Phases::REQUEST.and(Phases::RESPONSE);
pub(crate) const R: Phases = Phases::REQUEST;
pub(crate) const H: Phases = Phases::RESPONSE;
pub(crate) const RHI: Phases = RH.and(Phases::INIT);
pub(crate) const RHT: Phases = RH.and(Phases::TLS);
pub(crate) const ALL: Phases = Phases::ALL;

/// A row whose arguments are checked by their kinds.
pub(crate) const fn row(
    name: &'static str,
    phases: Phases,
    fuel: u32,
    kinds: &'static [Kind],
    function: Checked<Context>,
) -> Row {
    Helper {
        name,
        phases,
        fuel,
        function: Function::Checked(kinds, function),
    }
}

/// A row that looks at memory itself.
pub(crate) const fn raw(
    name: &'static str,
    phases: Phases,
    fuel: u32,
    registers: usize,
    function: Raw<Context>,
) -> Row {
    Helper {
        name,
        phases,
        fuel,
        function: Function::Raw(registers, function),
    }
}

pub(crate) fn helpers(traced: bool) -> HelperTable<Context> {
    let mut table = HelperTable::new();
    for row in helpers::ROWS.iter().copied().flatten() {
        table.add(*row);
    }
    for section in SECTIONS {
        table.entry_section(section);
    }
    if traced {
        table.observe(trace::observe);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// In the header, so that programs that use them compile; not in this server, which refuses such programs by name.
    const ABSENT: [&str; 7] = [
        "zs_aws_v4_authorization_header",
        "zs_aws_v4_presigned_url",
        "zs_oidc_begin_login",
        "zs_oidc_handle_callback",
        "zs_oidc_logout",
        "zs_oidc_session_verify",
        "zs_reverse_proxy",
    ];

    fn kinds(function: &Function<Context>) -> String {
        let kind = |kind: &Kind| match kind {
            Kind::Scalar => "scalar".to_owned(),
            Kind::Handle => "handle".to_owned(),
            Kind::Bytes => "bytes".to_owned(),
            Kind::Text => "text".to_owned(),
            Kind::Out => "out".to_owned(),
            Kind::InOut => "inout".to_owned(),
            Kind::OutExactly(bytes) => format!("out:{bytes}"),
        };
        match function {
            Function::Raw(registers, _) => format!("raw:{registers}"),
            Function::Checked(kinds, _) => kinds.iter().map(kind).collect::<Vec<_>>().join(" "),
        }
    }

    fn phases(phases: Phases) -> String {
        let each = [
            ('R', Phases::REQUEST),
            ('H', Phases::RESPONSE),
            ('I', Phases::INIT),
            ('T', Phases::TLS),
        ];
        let held = each.iter().filter(|(_, phase)| phases.allows(*phase));
        held.map(|(letter, _)| letter).collect()
    }

    #[test]
    fn the_table_is_the_one_that_the_header_is_made_from() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../sdk/helpers.toml");
        let text = std::fs::read_to_string(path).unwrap();
        let document: Value = toml::from_str(&text).unwrap();
        let groups = document["group"].as_array().unwrap();
        let written = groups
            .iter()
            .flat_map(|group| group["helper"].as_array().unwrap());
        let mut written: Vec<_> = written
            .filter(|helper| !ABSENT.contains(&helper["name"].as_str().unwrap()))
            .map(|helper| {
                let text = |key: &str| helper[key].as_str().unwrap();
                let fuel = &helper["fuel"];
                format!(
                    "{} {} {fuel} {}",
                    text("name"),
                    text("phases"),
                    text("args")
                )
            })
            .collect();
        written.sort();
        let table = helpers(false);
        let mut ours: Vec<_> = table
            .rows()
            .iter()
            .map(|row| {
                format!(
                    "{} {} {} {}",
                    row.name,
                    phases(row.phases),
                    row.fuel,
                    kinds(&row.function)
                )
            })
            .collect();
        ours.sort();
        let missing: Vec<_> = written.iter().filter(|each| !ours.contains(each)).collect();
        let unknown: Vec<_> = ours.iter().filter(|each| !written.contains(each)).collect();
        assert!(
            missing.is_empty() && unknown.is_empty(),
            "only in helpers.toml: {missing:#?}\nonly here: {unknown:#?}"
        );
    }
}
