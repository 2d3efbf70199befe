//! What the helpers of the tests see and change.

use zs_script::{
    Answer, Arguments, Footprint, Function, Helper, HelperResult, HelperTable, Kind, Memory,
    Phases, string_out,
};

pub(crate) struct Host {
    pub path: String,
    pub peer: String,
    pub meta: Vec<(String, String)>,
    pub response: Option<(u64, Vec<u8>)>,
    pub log: Vec<String>,
    pub footprint: Footprint,
    /// What `zs_now_ms` answers; it waits while there is nothing.
    pub now: Option<i64>,
    /// What the differential tests' helper was called with.
    pub trace: Vec<[u64; 5]>,
}

impl Default for Host {
    fn default() -> Self {
        Self {
            path: "/health".to_owned(),
            peer: "192.0.2.7:5000".to_owned(),
            meta: Vec::new(),
            response: None,
            log: Vec::new(),
            footprint: Footprint::new(Footprint::BYTES_MAX),
            now: None,
            trace: Vec::new(),
        }
    }
}

type Registers = [u64; 5];

fn peer(host: &mut Host, arguments: &mut Arguments<'_>) -> HelperResult {
    Ok(Answer::Value(string_out(
        arguments.out(0),
        host.peer.as_bytes(),
    )))
}

fn path(host: &mut Host, arguments: &mut Arguments<'_>) -> HelperResult {
    Ok(Answer::Value(string_out(
        arguments.out(0),
        host.path.as_bytes(),
    )))
}

fn meta_set(host: &mut Host, arguments: &mut Arguments<'_>) -> HelperResult {
    let (key, value) = (arguments.text(0), arguments.text(1));
    host.footprint.take(key.len() + value.len())?;
    host.meta.push((key.to_owned(), value.to_owned()));
    Ok(Answer::Value(0))
}

fn respond(host: &mut Host, arguments: &mut Arguments<'_>) -> HelperResult {
    let status = arguments.scalar(0);
    if status > 65535 {
        return Err("status over 65535".into());
    }
    host.response = Some((status, arguments.bytes(1).to_vec()));
    Ok(Answer::Value(0))
}

fn log(host: &mut Host, arguments: &mut Arguments<'_>) -> HelperResult {
    host.log
        .push(String::from_utf8_lossy(arguments.bytes(0)).into_owned());
    Ok(Answer::Value(0))
}

fn now(host: &mut Host, _: &mut Arguments<'_>) -> HelperResult {
    Ok(host.now.map_or(Answer::Suspend, Answer::Value))
}

fn digest(_: &mut Host, arguments: &mut Arguments<'_>) -> HelperResult {
    arguments.out(1).fill(7);
    arguments.charge(10);
    Ok(Answer::Value(32))
}

fn copy(_: &mut Host, memory: &mut Memory<'_>, [to, from, length, ..]: Registers) -> HelperResult {
    memory
        .copy_within(to, from, length)
        .ok_or("outside of the script's memory")?;
    Ok(Answer::Value(to.cast_signed()))
}

fn set(_: &mut Host, memory: &mut Memory<'_>, [to, byte, length, ..]: Registers) -> HelperResult {
    memory
        .bytes_mut(to, length)
        .ok_or("outside of the script's memory")?
        .fill(byte as u8);
    Ok(Answer::Value(to.cast_signed()))
}

/// A helper of the differential tests: its answer depends on all it gets.
pub(crate) fn mix(registers: [u64; 5]) -> u64 {
    registers.iter().fold(0x9e37, |sum: u64, each| {
        sum.rotate_left(9).wrapping_mul(31).wrapping_add(*each)
    })
}

fn traced(host: &mut Host, _: &mut Memory<'_>, registers: Registers) -> HelperResult {
    host.trace.push(registers);
    Ok(Answer::Value(mix(registers).cast_signed()))
}

pub(crate) fn table() -> HelperTable<Host> {
    use Kind::{Bytes, Out, Scalar, Text};
    let mut table = HelperTable::new();
    let checked: [(
        &'static str,
        Phases,
        &'static [Kind],
        fn(&mut Host, &mut Arguments<'_>) -> HelperResult,
    ); 7] = [
        ("zs_req_peer", Phases::REQUEST, &[Out], peer),
        ("zs_req_path", Phases::REQUEST, &[Out], path),
        ("zs_meta_set", Phases::ALL, &[Text, Text], meta_set),
        ("zs_respond", Phases::REQUEST, &[Scalar, Bytes], respond),
        ("zs_log", Phases::ALL, &[Bytes], log),
        ("zs_now_ms", Phases::ALL, &[], now),
        ("zs_sha256", Phases::ALL, &[Bytes, Out], digest),
    ];
    for (name, phases, kinds, function) in checked {
        table.add(Helper {
            name,
            phases,
            fuel: 20,
            function: Function::Checked(kinds, function),
        });
    }
    let raw: [(
        &'static str,
        usize,
        fn(&mut Host, &mut Memory<'_>, Registers) -> HelperResult,
    ); 5] = [
        ("zs_memcpy", 3, copy),
        ("memcpy", 3, copy),
        ("zs_memset", 3, set),
        ("memset", 3, set),
        ("test_mix", 5, traced),
    ];
    for (name, registers, function) in raw {
        let (phases, function) = (Phases::ALL, Function::Raw(registers, function));
        table.add(Helper {
            name,
            phases,
            fuel: 8,
            function,
        });
    }
    table
        .entry_section("zeroserve.request")
        .entry_section("zeroserve.call.");
    table
}
