//! The interpreter of uBPF, which others wrote, over memory at the addresses that scripts see.
//!
//! uBPF knows no cage and fixes less than we do. Both are written out for it in instructions, with a register that the
//! programs leave alone: every address is masked before it is used, registers begin at zero, and a call keeps r1 to r5.
//! Functions must call the next one only: uBPF counts frames at each call, we give each function its place.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    reason = "registers are bits, programs are small"
)]

use std::cell::{Cell, RefCell};
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use libubpf_sys as sys;
use zs_script::instruction::Instruction;
use zs_script::layout::{
    ARENA_BYTES, ARENA_MASK, CALL_DEPTH_MAX, FRAME_BYTES, IMAGE_START, PAD_BYTES, POINTER_TAG,
    STACK_TOP, pointer,
};
use zs_script::program::Program;

/// The register that programs must leave alone; none above it but the frame pointer either.
pub const SCRATCH: u8 = 9;
/// What the only helper of the programs does.
pub type Mix = fn([u64; 5]) -> u64;

/// Where calls keep registers, behind the arena: one piece for each depth.
const KEPT_AT: usize = ARENA_BYTES + 4096;
const KEPT_BYTES: usize = 64;

thread_local! {
    /// Calls of the helper, and what it does: uBPF has no place for a context of ours.
    static TRACE: RefCell<Vec<[u64; 5]>> = const { RefCell::new(Vec::new()) };
    static MIX: Cell<Mix> = const { Cell::new(|_| 0) };
}

/// An arena at the address that scripts see.
pub struct Memory;

impl Memory {
    /// One at a time in a process.
    ///
    /// # Panics
    /// Something else is there.
    #[must_use]
    pub fn map() -> Self {
        let (at, bytes) = (POINTER_TAG as *mut c_void, ARENA_BYTES + PAD_BYTES);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        // SAFETY: new memory, at an address that is refused if anything is there.
        let got = unsafe { libc::mmap(at, bytes, access, flags, -1, 0) };
        assert_eq!(got, at, "{}", std::io::Error::last_os_error());
        Self
    }

    fn start() -> *mut u8 {
        POINTER_TAG as *mut u8
    }

    #[must_use]
    pub fn arena(&self) -> &[u8] {
        // SAFETY: mapped, and nobody writes while the caller looks.
        unsafe { std::slice::from_raw_parts(Self::start(), ARENA_BYTES) }
    }

    fn begin(&mut self, image: &[u8]) {
        // SAFETY: mapped, and an image fits behind its start.
        unsafe {
            ptr::write_bytes(Self::start(), 0, ARENA_BYTES + PAD_BYTES);
            ptr::copy_nonoverlapping(image.as_ptr(), Self::start().add(IMAGE_START), image.len());
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: `map` made it.
        unsafe { libc::munmap(Self::start().cast(), ARENA_BYTES + PAD_BYTES) };
    }
}

/// What uBPF made of a program.
pub struct Told {
    pub result: u64,
    pub trace: Vec<[u64; 5]>,
}

/// Runs a program that ends within so many steps; its memory is left as it was at the end.
///
/// # Errors
/// Why uBPF does not take the program.
///
/// # Panics
/// uBPF began the program and did not end it.
pub fn run(memory: &mut Memory, program: &Program, mix: Mix, steps: u64) -> Result<Told, String> {
    let code = written_out(program);
    let code: Vec<u8> = code.iter().flat_map(|each| encode(*each)).collect();
    memory.begin(&program.image);
    TRACE.with_borrow_mut(Vec::clear);
    MIX.set(mix);
    let (mut message, mut result) = (ptr::null_mut(), 0);
    let stack_bytes = CALL_DEPTH_MAX * FRAME_BYTES;
    let stack = pointer(STACK_TOP - stack_bytes) as *mut u8;
    let limit = u32::try_from(steps * 24).expect("a few steps"); // what is written out comes on top
    // SAFETY: as uBPF's header wants it: functions and checks are there before the code is loaded; all addresses are checked
    // by `inside`; the machine and the message are freed once.
    unsafe {
        let machine = sys::ubpf_create();
        assert!(!machine.is_null());
        sys::ubpf_register(machine, 0, c"test_mix".as_ptr(), Some(traced));
        sys::ubpf_register_data_bounds_check(machine, ptr::null_mut(), Some(inside));
        sys::ubpf_register_stack_usage_calculator(machine, Some(frame_bytes), ptr::null_mut());
        sys::ubpf_set_instruction_limit(machine, limit, ptr::null_mut());
        let bytes = u32::try_from(code.len()).expect("a small program");
        let loaded = sys::ubpf_load(machine, code.as_ptr().cast(), bytes, &raw mut message);
        let ran = if loaded == 0 {
            let (none, size) = (ptr::null_mut(), 0);
            sys::ubpf_exec_ex(machine, none, size, &raw mut result, stack, stack_bytes)
        } else {
            0
        };
        sys::ubpf_destroy(machine);
        if loaded != 0 {
            let text = CStr::from_ptr(message).to_string_lossy().into_owned();
            libc::free(message.cast());
            return Err(text);
        }
        assert_eq!(ran, 0, "uBPF began the program and did not end it");
    }
    let trace = TRACE.with_borrow_mut(std::mem::take);
    Ok(Told { result, trace })
}

unsafe extern "C" fn traced(r1: u64, r2: u64, r3: u64, r4: u64, r5: u64) -> u64 {
    let registers = [r1, r2, r3, r4, r5];
    TRACE.with_borrow_mut(|trace| trace.push(registers));
    MIX.get()(registers)
}

unsafe extern "C" fn inside(_: *mut c_void, address: u64, size: u64) -> bool {
    let end = POINTER_TAG + (ARENA_BYTES + PAD_BYTES) as u64;
    address >= POINTER_TAG && address + size <= end
}

unsafe extern "C" fn frame_bytes(_: *const sys::ubpf_vm, _: u16, _: *mut c_void) -> c_int {
    FRAME_BYTES as c_int
}

fn encode(each: Instruction) -> [u8; 8] {
    let mut slot = [each.opcode, each.dst | each.src << 4, 0, 0, 0, 0, 0, 0];
    slot[2..4].copy_from_slice(&each.offset.to_le_bytes());
    slot[4..].copy_from_slice(&each.imm.to_le_bytes());
    slot
}

fn plain(opcode: u8, dst: u8, src: u8, offset: i16, imm: i32) -> Instruction {
    Instruction {
        opcode,
        dst,
        src,
        offset,
        imm,
    }
}

/// All functions behind one another, with what uBPF does not do by itself.
fn written_out(program: &Program) -> Vec<Instruction> {
    let (mut out, mut starts, mut calls) = (Vec::new(), Vec::new(), Vec::new());
    for (index, function) in program.functions.iter().enumerate() {
        starts.push(out.len());
        // Arguments come in r1 to r5; the entry has none.
        let zeroed = (0..SCRATCH).filter(|register| index == 0 || !(1..=5).contains(register));
        out.extend(zeroed.map(|register| plain(0xb7, register, 0, 0, 0)));
        let (mut places, mut jumps) = (Vec::new(), Vec::new());
        let mut wide = false;
        for (slot, &each) in function.code.iter().enumerate() {
            places.push(out.len());
            if std::mem::take(&mut wide) {
                out.push(each);
                continue;
            }
            match each.opcode & 7 {
                1 => {
                    caged(&mut out, each.src, each.offset);
                    out.push(Instruction {
                        src: SCRATCH,
                        offset: 0,
                        ..each
                    });
                }
                2 | 3 => {
                    caged(&mut out, each.dst, each.offset);
                    out.push(Instruction {
                        dst: SCRATCH,
                        offset: 0,
                        ..each
                    });
                }
                _ if each.opcode == 0x85 && each.src == 1 => {
                    let kept = pointer(KEPT_AT + function.depth * KEPT_BYTES) as i32;
                    out.push(plain(0xb7, SCRATCH, 0, 0, kept));
                    out.extend((1..=5).map(|r| plain(0x7b, SCRATCH, r, i16::from(r) * 8, 0)));
                    calls.push((out.len(), each.imm as usize));
                    out.push(each);
                    out.extend((1..=5).map(|r| plain(0x79, r, SCRATCH, i16::from(r) * 8, 0)));
                }
                _ => {
                    wide = each.is_wide();
                    if let Some(distance) = each.jump_distance() {
                        jumps.push((out.len(), (slot as i64 + 1 + distance) as usize));
                    }
                    out.push(each);
                }
            }
        }
        for (at, target) in jumps {
            let distance = places[target] as i64 - at as i64 - 1;
            if out[at].opcode == 0x06 {
                out[at].imm = distance as i32;
            } else {
                out[at].offset = i16::try_from(distance).expect("a small function");
            }
        }
    }
    for (at, function) in calls {
        out[at].imm = starts[function] as i32 - at as i32 - 1;
    }
    out
}

/// r9 = the address that the cage makes of this one.
fn caged(out: &mut Vec<Instruction>, base: u8, offset: i16) {
    out.extend([
        plain(0xbf, SCRATCH, base, 0, 0),
        plain(0x07, SCRATCH, 0, 0, i32::from(offset)),
        plain(0x57, SCRATCH, 0, 0, ARENA_MASK as i32),
        plain(0x47, SCRATCH, 0, 0, POINTER_TAG as i32),
    ]);
}
