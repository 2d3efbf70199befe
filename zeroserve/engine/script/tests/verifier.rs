//! Instructions that the verifier must refuse, one by one.

mod support;

use zs_script::instruction::Instruction;
use zs_script::program::{Entry, Function, Program};
use zs_script::{LoadErrorKind, Module};

use support::host::table;

const EXIT: Instruction = Instruction {
    opcode: 0x95,
    dst: 0,
    src: 0,
    offset: 0,
    imm: 0,
};

fn verdict(code: &[Instruction]) -> Result<(), String> {
    let section = "zeroserve.request".to_owned();
    let function = Function {
        name: "f".to_owned(),
        section: section.clone(),
        code: code.to_vec(),
        ..Function::default()
    };
    let program = Program {
        functions: vec![function],
        entries: vec![Entry {
            section,
            name: "f".to_owned(),
            function: 0,
        }],
        helpers: vec!["test_mix".to_owned()],
        ..Program::default()
    };
    match Module::link("x", program, &table()) {
        Ok(_) => Ok(()),
        Err(error) => {
            assert!(
                matches!(error.kind, LoadErrorKind::BadInstruction(_)),
                "{error}"
            );
            Err(error.kind.to_string())
        }
    }
}

fn op(opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) -> Instruction {
    Instruction {
        opcode,
        dst,
        src,
        offset,
        imm,
    }
}

#[test]
fn bad_instructions_are_refused() {
    let cases = [
        ("register 11", op(0xb7, 11, 0, 0, 1)),
        ("source register 12", op(0xbf, 0, 12, 0, 0)),
        ("write to r10", op(0xb7, 10, 0, 0, 1)),
        ("load into r10", op(0x79, 10, 1, 0, 0)),
        ("fetch into r10", op(0xdb, 1, 10, 0, 0x01)),
        ("legacy packet load", op(0x20, 0, 0, 0, 0)),
        ("map reference", op(0x18, 1, 1, 0, 0)),
        ("half a wide load", op(0x18, 1, 0, 0, 0)),
        ("call through a register", op(0x8d, 0, 0, 0, 0)),
        ("call of helper 1 of 1", op(0x85, 0, 0, 0, 1)),
        ("call of function 5", op(0x85, 0, 1, 0, 5)),
        ("call of a kernel function", op(0x85, 0, 2, 0, 0)),
        ("jump out, forwards", op(0x05, 0, 0, 1, 0)),
        ("jump out, backwards", op(0x05, 0, 0, -2, 0)),
        ("long jump out", op(0x06, 0, 0, 0, 0x7fff_ffff)),
        ("jump with garbage", op(0x15, 0, 3, 0, 0)),
        ("unknown jump", op(0xe5, 0, 0, 0, 0)),
        ("32-bit exit", op(0x96, 0, 0, 0, 0)),
        ("unknown arithmetic", op(0xe7, 0, 0, 0, 0)),
        ("swap of 24 bits", op(0xd4, 0, 0, 0, 24)),
        ("signed addition", op(0x07, 0, 0, 1, 1)),
        ("move with odd extension", op(0xbf, 0, 1, 24, 0)),
        ("atomic byte", op(0xd3, 1, 2, 0, 0)),
        ("atomic nand", op(0xdb, 1, 2, 0, 0x60)),
        ("exchange without fetch", op(0xdb, 1, 2, 0, 0xe0)),
        ("store of nothing known", op(0x22, 1, 0, 0, 0)),
        ("sign-extending 8 bytes", op(0x99, 1, 2, 0, 0)),
    ];
    for (what, each) in cases {
        assert!(verdict(&[each, EXIT]).is_err(), "{what}");
    }
}

#[test]
fn code_must_end() {
    assert!(verdict(&[op(0xb7, 0, 0, 0, 1)]).is_err());
    assert!(verdict(&[EXIT, op(0x15, 0, 0, -2, 0)]).is_err());
    assert!(verdict(&[]).is_err());
    assert!(verdict(&[op(0x05, 0, 0, -1, 0)]).is_ok());
}

#[test]
fn jumps_land_on_instructions() {
    let wide = [op(0x18, 1, 0, 0, 7), op(0, 0, 0, 0, 0), EXIT];
    let mut code = vec![op(0x05, 0, 0, 1, 0)];
    code.extend(wide);
    assert_eq!(
        verdict(&code).unwrap_err(),
        "jump into the middle of an instruction"
    );
}
