//! Any calls of any helpers, in any order, with any numbers and pointers: one program that is made of the table of
//! helpers itself, and does what the bytes before it say.
#![allow(clippy::expect_used, reason = "a fuzz body panics to be noticed")]

use std::sync::Arc;

use zs_proto::h1::parse::parse_head;
use zs_script::Module;
use zs_script::instruction::Instruction;
use zs_script::layout::{ARENA_BYTES, IMAGE_START, INPUT_START, POINTER_TAG, STACK_TOP, pointer};
use zs_script::program::{Entry, Function, Program};

use crate::context::Body;
use crate::execution::{Execution, Pool};
use crate::field_block::check;
use crate::request::Connection;
use crate::scripts::Scripts;
use crate::services::{Caps, Services};
use crate::step::{Need, Now, Step, Supply, Verdict};
use crate::table;

/// One call: the number of the helper, five numbers of values, two bytes for nothing.
const RECORD_BYTES: usize = 8;
/// Calls of a request entry; those behind them are made by call targets and hooks.
const CHAIN_RECORDS: usize = 14;
/// Few: each may call the target again, eight deep.
const CALLED_RECORDS: usize = 2;
/// What one request is told.
const PLAN_BYTES: usize = (CHAIN_RECORDS + CALLED_RECORDS) * RECORD_BYTES;
/// Requests of one input; they share rate limits and state.
const REQUESTS_MAX: usize = 4;
/// Slices after which a request is given up, as if the client had gone.
const SLICES_MAX: usize = 64;

/// The image: values, plan, texts, and room to write.
const VALUES: usize = 256;
const PLAN_AT: usize = VALUES * 8;
const TEXTS_AT: usize = PLAN_AT + 512;
const TEXT_BYTES: usize = 96;
const ROOM_AT: usize = TEXTS_AT + TEXTS.len() * TEXT_BYTES;
const ROOM_BYTES: usize = 4096;
/// Where the results of the last two calls are.
const LAST: usize = VALUES - 1;
/// Its header, in hexadecimal: hooks can read headers, too, but no body.
const PLAN_FIELD: usize = 0;

const TEXTS: [&str; 16] = [
    "plan",
    "f",
    "fuzz",
    "name",
    "{\"a\":[1,null,\"x\"],\"b\":{\"c\":-7}}",
    "a",
    "zs.response.header.x-a",
    "/a/../b?c=d&c=%20",
    "{\"name\":\"x\",\"search_regexp\":\"(a|b)+\",\"replace\":\"$1$0\"}",
    "{\"strip_path_prefix\":\"/a\",\"uri_substring\":[{\"find\":\"b\",\"replace\":\"//\"}]}",
    "{\"set\":[{\"key\":\"c\",\"val\":\"&\"}],\"delete\":[\"d\"]}",
    "[\"192.0.2.0/24\",\"::1\"]",
    "YWJjZA==",
    "6162zz",
    "cookie",
    "*x*",
];

/// Numbers at which a length, a status or a handle goes wrong.
const ODD: [u64; 16] = [
    u64::MAX,
    u64::MAX - 1,
    1 << 63,
    1 << 32,
    0xffff_ffff,
    0x7fff_ffff,
    200,
    304,
    404,
    1000,
    65_535,
    65_536,
    512,
    1024,
    4096,
    1 << 18,
];

fn values() -> Vec<u64> {
    let image = |offset: usize| pointer(IMAGE_START + offset);
    let mut values: Vec<u64> = (0..32).collect();
    values.extend(ODD);
    values.extend((0..TEXTS.len()).map(|text| image(TEXTS_AT + text * TEXT_BYTES)));
    values.extend(TEXTS.map(|text| text.len() as u64));
    values.extend((0..16).map(|record| image(PLAN_AT + record * RECORD_BYTES)));
    values.extend((0..8).map(|piece| image(ROOM_AT + piece * (ROOM_BYTES / 8))));
    values.extend([
        8,
        POINTER_TAG,
        pointer(INPUT_START),
        pointer(STACK_TOP - 64),
        image(PLAN_AT) - 1,
        pointer(ARENA_BYTES - 1),
        pointer(ARENA_BYTES - 64),
        POINTER_TAG + ARENA_BYTES as u64,
    ]);
    values.resize(VALUES, 0);
    values
}

/// Writes slots; jumps are given their distance when their target is known.
#[derive(Default)]
struct Writer(Vec<Instruction>);

impl Writer {
    fn put(&mut self, opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) {
        self.0.push(Instruction {
            opcode,
            dst,
            src,
            offset,
            imm,
        });
    }

    /// A 32-bit number: every pointer of the arena is one.
    fn number(&mut self, dst: u8, value: u64) {
        let value = i32::try_from(value).expect("small");
        self.put(0xb7, dst, 0, 0, value);
    }

    fn call(&mut self, helper: usize) {
        let helper = i32::try_from(helper).expect("a few helpers");
        self.put(0x85, 0, 0, 0, helper);
    }

    fn jump(&mut self, opcode: u8, dst: u8, src: u8, imm: i32, target: usize) {
        let distance = i16::try_from(target as i64 - self.0.len() as i64 - 1).expect("near");
        self.put(opcode, dst, src, distance, imm);
    }
}

/// Reads the plan and makes the calls of these records.
fn code(helpers: &[String], from: usize, to: usize) -> Vec<Instruction> {
    let number = |name: &str| helpers.iter().position(|each| each == name).expect("known");
    let image = |offset: usize| pointer(IMAGE_START + offset);
    let mut out = Writer::default();
    out.number(1, image(TEXTS_AT + PLAN_FIELD * TEXT_BYTES));
    out.number(2, TEXTS[PLAN_FIELD].len() as u64);
    out.number(3, image(PLAN_AT));
    out.number(4, PLAN_BYTES as u64 * 2 + 1);
    out.call(number("zs_req_header"));
    out.number(1, image(PLAN_AT));
    out.number(2, PLAN_BYTES as u64 * 2);
    out.call(number("zs_hex_decode_in_place"));
    out.number(6, image(PLAN_AT + from * RECORD_BYTES));
    out.number(7, image(PLAN_AT + to * RECORD_BYTES));
    let head = out.0.len();
    for register in 1..=5 {
        out.put(0x71, 0, 6, i16::from(register), 0); // r0 = the number of a value
        out.put(0x67, 0, 0, 0, 3);
        out.put(0x07, 0, 0, 0, i32::try_from(image(0)).expect("small"));
        out.put(0x79, register, 0, 0, 0);
    }
    out.put(0x71, 8, 6, 0, 0);
    out.put(0x07, 6, 0, 0, 8);
    let choice = out.0.len();
    let calls = choice + helpers.len() + 1;
    let after = calls + 2 * helpers.len();
    for helper in 0..helpers.len() {
        let which = i32::try_from(helper).expect("a few helpers");
        out.jump(0x15, 8, 0, which, calls + 2 * helper);
    }
    out.jump(0x05, 0, 0, 0, after + 5); // no such helper
    for helper in 0..helpers.len() {
        out.call(helper);
        out.jump(0x05, 0, 0, 0, after);
    }
    out.number(9, image(LAST * 8));
    out.put(0x79, 8, 9, 0, 0);
    out.put(0x7b, 9, 8, -8, 0);
    out.put(0x7b, 9, 0, 0, 0);
    out.put(0xb7, 8, 0, 0, 0);
    out.jump(0xad, 6, 7, 0, head);
    out.put(0x95, 0, 0, 0, 0);
    out.0
}

fn scripts() -> Arc<Scripts> {
    let table = table::helpers(true);
    let mut helpers: Vec<String> = table.rows().iter().map(|row| row.name.to_owned()).collect();
    helpers.sort(); // so that a corpus keeps its meaning from run to run
    let mut image: Vec<u8> = values()
        .iter()
        .flat_map(|each| each.to_le_bytes())
        .collect();
    image.resize(TEXTS_AT, 0);
    for text in TEXTS {
        let end = image.len() + TEXT_BYTES;
        image.extend_from_slice(text.as_bytes());
        image.resize(end, 0);
    }
    let function = |name: &str, section: &str, from: usize, to: usize| Function {
        name: name.to_owned(),
        section: section.to_owned(),
        code: code(&helpers, from, to),
        ..Function::default()
    };
    let (request, called) = ("zeroserve.request", "zeroserve.call.f");
    let all = CHAIN_RECORDS + CALLED_RECORDS;
    let functions = vec![
        function("request", request, 0, CHAIN_RECORDS),
        function("called", called, CHAIN_RECORDS, all),
    ];
    let entry = |section: &str, function: usize| Entry {
        section: section.to_owned(),
        name: functions[function].name.clone(),
        function,
    };
    let entries = vec![entry(request, 0), entry(called, 1)];
    let program = Program {
        functions,
        entries,
        image,
        image_bytes: ROOM_AT + ROOM_BYTES,
        helpers,
    };
    let module = Module::link("fuzz.o", program, &table).expect("a program of our own");
    Scripts::of_module("fuzz.o", module)
}

thread_local! {
    static SCRIPTS: Arc<Scripts> = scripts();
}

/// Requests whose script calls what the bytes say. Nothing panics; what goes on is a head, and what is answered has
/// header lines.
///
/// # Panics
/// Where that does not hold.
pub fn fuzz_helper_calls(bytes: &[u8]) {
    let scripts = SCRIPTS.with(Arc::clone);
    let caps = Caps {
        rate_limit_keys: 4,
        ..Caps::default()
    };
    let pool = Pool::new(Arc::new(Services::new(caps, "1.2.3")));
    pool.runtime().set_slice(2000);
    let connection = Arc::new(Connection {
        peer: ([192, 0, 2, 7], 5000).into(),
        tls: true,
        alpn: Some("h2".into()),
        sni_inner: Some("example.org".into()),
        sni_outer: None,
        ech_accepted: Some(false),
        ja4: None,
        ja4_inner: None,
    });
    for plan in bytes.chunks(PLAN_BYTES).take(REQUESTS_MAX) {
        let mut digits = [0; PLAN_BYTES * 2];
        let digits = base16ct::lower::encode_str(plan, &mut digits).expect("room");
        // As many digits as the script reads; a short plan goes on with zeros.
        let head = format!(
            "POST /a/b?c=d HTTP/1.1\r\nHost: example.org\r\nCookie: a=b\r\nplan: {digits:0<width$}\r\n\r\n",
            width = PLAN_BYTES * 2
        );
        let (head, _) = parse_head(head.as_bytes()).expect("a head").expect("whole");
        let mut execution = pool.begin(&scripts, &head, true, &connection, Some(|| 0));
        let verdict = drive(&mut execution, plan);
        check_outcome(&execution);
        if verdict.is_some_and(|verdict| verdict != Verdict::Abort) && execution.has_hooks() {
            execution.begin_hooks(200, b"content-type: text/plain\r\nx: a\r\n");
            drive(&mut execution, plan);
            check_outcome(&execution);
        }
    }
}

/// `None`: given up.
fn drive(execution: &mut Execution, body: &[u8]) -> Option<Verdict> {
    let now = Now {
        unix_ms: 1_700_000_000_000,
        monotonic_ms: 5000,
    };
    for _ in 0..SLICES_MAX {
        match execution.step(now) {
            Step::Done(Verdict::Again) | Step::Yield => {}
            Step::Done(verdict) => return Some(verdict),
            Step::Wait => {
                let supply = match execution.need().expect("a wait for something") {
                    Need::Body { limit } if body.len() > *limit => Supply::Body(Body::TooLarge),
                    Need::Body { .. } => Supply::Body(Body::Bytes(body.to_vec())),
                    Need::File(path) => Supply::File((path == "a").then(|| b"[1]".to_vec())),
                    Need::FileMetadata(_) => Supply::FileMetadata(None),
                };
                execution.supply(supply);
            }
        }
    }
    None
}

fn check_outcome(execution: &Execution) {
    let context = execution.context();
    let head = context.request().to_head();
    // Two hosts, say, are an error; an unfinished head would swallow what comes behind it.
    assert!(
        !matches!(parse_head(&head), Ok(None)),
        "a head that does not end"
    );
    for (name, value) in context.added_headers() {
        assert_eq!(check(name.as_bytes(), value.as_bytes()), Ok(()));
    }
    if let Some((status, fields)) = execution.hooked_head() {
        assert!((100..=999).contains(&status));
        for (name, value) in fields.fields() {
            assert_eq!(check(name, value), Ok(()));
        }
    }
}
