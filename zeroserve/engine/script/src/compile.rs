//! From a linked program to native code: verify, translate, let Cranelift compile, place, settle calls.

use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::{ExternalName, UserExternalNameRef};
use cranelift_codegen::isa::{self, TargetIsa};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{CodegenError, Context, FinalizedRelocTarget};
use cranelift_frontend::FunctionBuilderContext;

use crate::error::LoadErrorKind;
use crate::layout::GRANULES;
use crate::program::Program;
use crate::translate::{self, Scope};
use crate::verify::verify;

/// Native stack that a chain of calls may take. The coroutine's stack holds this and what a signal handler needs.
pub const NATIVE_STACK_BYTES_MAX: usize = 64 << 10;
/// Most native bytes of one program.
pub const CODE_BYTES_MAX: usize = 4 << 20;
/// Functions begin at multiples of this.
const ALIGN: usize = 32;

/// Native code, not yet in executable memory.
#[derive(Debug)]
pub struct Compiled {
    pub bytes: Vec<u8>,
    /// Where each function begins.
    pub starts: Vec<usize>,
    /// Granules that are stored to at addresses known at load.
    pub touched: [bool; GRANULES],
    /// Native stack of the longest chain of calls.
    pub stack_bytes: usize,
}

/// Why a program does not compile: the function, the slot if known, the reason.
pub type Refusal = (usize, Option<usize>, LoadErrorKind);

/// The machine that we run on.
///
/// # Errors
/// Cranelift's reason, if it knows no such machine.
pub fn host_isa() -> Result<isa::OwnedTargetIsa, String> {
    isa_of(&target_lexicon::Triple::host())
}

/// A machine by its triple.
///
/// # Errors
/// Cranelift's reason, if it knows no such machine.
pub fn isa_of(triple: &target_lexicon::Triple) -> Result<isa::OwnedTargetIsa, String> {
    let mut flags = settings::builder();
    // `is_pic`: calls between functions are relative and need no table. The IR verifier stays on: it costs a
    // tenth of the compile time and turns a bug of ours into a refused script.
    for (name, value) in [
        ("opt_level", "speed"),
        ("is_pic", "true"),
        ("enable_verifier", "true"),
    ] {
        flags.set(name, value).map_err(|each| each.to_string())?;
    }
    let builder = isa::lookup(triple.clone()).map_err(|each| each.to_string())?;
    builder
        .finish(settings::Flags::new(flags))
        .map_err(|each| each.to_string())
}

/// Compiles a program whose helpers read `helper_registers` registers each.
///
/// # Errors
/// What the verifier refuses, or a limit.
pub fn compile(
    program: &Program,
    helper_registers: &[usize],
    isa: &dyn TargetIsa,
) -> Result<Compiled, Refusal> {
    let (functions, helpers) = (program.functions.len(), program.helpers.len());
    for (index, function) in program.functions.iter().enumerate() {
        if function.code.is_empty() {
            return Err((
                index,
                None,
                LoadErrorKind::BadInstruction("empty function".to_owned()),
            ));
        }
        verify(function, functions, helpers).map_err(|(slot, kind)| (index, Some(slot), kind))?;
    }
    let mut compiled = Compiled {
        bytes: Vec::new(),
        starts: Vec::new(),
        touched: [false; GRANULES],
        stack_bytes: 0,
    };
    let mut calls = Vec::new();
    let mut frames = Vec::new();
    let mut context = FunctionBuilderContext::new();
    for index in 0..functions {
        let mut scope = Scope {
            program,
            helper_registers,
            touched: &mut compiled.touched,
        };
        let ir = translate::translate(index, &mut scope, isa, &mut context);
        let one = compile_one(ir, isa).map_err(|kind| (index, None, kind))?;
        compiled
            .bytes
            .resize(compiled.bytes.len().next_multiple_of(ALIGN), 0);
        let start = compiled.bytes.len();
        compiled.starts.push(start);
        compiled.bytes.extend_from_slice(&one.bytes);
        calls.extend(
            one.calls
                .into_iter()
                .map(|(at, kind, target)| (start + at, kind, target)),
        );
        frames.push(one.frame_bytes);
        let found = compiled.bytes.len();
        if found > CODE_BYTES_MAX {
            let (what, limit) = ("bytes of native code", CODE_BYTES_MAX);
            return Err((index, None, LoadErrorKind::TooMuch { what, found, limit }));
        }
    }
    settle_all(&mut compiled, &calls)?;
    compiled.stack_bytes = deepest(program, &frames);
    if compiled.stack_bytes > NATIVE_STACK_BYTES_MAX {
        let (what, limit) = ("bytes of native stack", NATIVE_STACK_BYTES_MAX);
        return Err((
            0,
            None,
            LoadErrorKind::TooMuch {
                what,
                found: compiled.stack_bytes,
                limit,
            },
        ));
    }
    Ok(compiled)
}

struct One {
    bytes: Vec<u8>,
    calls: Vec<(usize, Reloc, usize)>,
    frame_bytes: usize,
}

fn compile_one(
    ir: cranelift_codegen::ir::Function,
    isa: &dyn TargetIsa,
) -> Result<One, LoadErrorKind> {
    let mut context = Context::for_function(ir);
    let code = context
        .compile(isa, &mut ControlPlane::default())
        .map_err(|each| match each.inner {
            CodegenError::CodeTooLarge | CodegenError::ImplLimitExceeded => {
                let (what, limit) = ("size of one function", crate::elf::SLOTS_MAX);
                LoadErrorKind::TooMuch {
                    what,
                    found: limit,
                    limit,
                }
            }
            other => LoadErrorKind::Internal(other.to_string()),
        })?;
    // Frame pointer, return address, and what lies below them.
    let frame_bytes = code
        .buffer
        .frame_layout()
        .map_or(0, |each| each.frame_to_fp_offset as usize)
        + 16;
    let bytes = code.code_buffer().to_vec();
    let relocations = code.buffer.relocs().to_vec();
    let mut calls = Vec::new();
    for each in relocations {
        let FinalizedRelocTarget::ExternalName(ExternalName::User(name)) = each.target else {
            return Err(LoadErrorKind::Internal(format!(
                "relocation to {:?}",
                each.target
            )));
        };
        calls.push((each.offset as usize, each.kind, callee(&context, name)));
        let expected = if matches!(each.kind, Reloc::X86CallPCRel4) {
            -4
        } else {
            0
        };
        if each.addend != expected {
            return Err(LoadErrorKind::Internal(format!(
                "relocation addend {}",
                each.addend
            )));
        }
    }
    Ok(One {
        bytes,
        calls,
        frame_bytes,
    })
}

fn callee(context: &Context, name: UserExternalNameRef) -> usize {
    context.func.params.user_named_funcs()[name].index as usize
}

fn settle_all(compiled: &mut Compiled, calls: &[(usize, Reloc, usize)]) -> Result<(), Refusal> {
    for &(at, kind, target) in calls {
        let distance = compiled.starts[target] as i64 - at as i64;
        settle(&mut compiled.bytes, at, kind, distance)
            .map_err(|why| (target, None, LoadErrorKind::Internal(why)))?;
    }
    Ok(())
}

/// Writes the distance to a callee into a call.
fn settle(bytes: &mut [u8], at: usize, kind: Reloc, distance: i64) -> Result<(), String> {
    let field: &mut [u8; 4] = bytes
        .get_mut(at..at + 4)
        .and_then(|each| each.try_into().ok())
        .ok_or_else(|| "call outside the code".to_owned())?;
    match kind {
        Reloc::X86CallPCRel4 => {
            let distance = i32::try_from(distance - 4).map_err(|each| each.to_string())?;
            *field = distance.to_le_bytes();
        }
        Reloc::Arm64Call => {
            // `bl`: 26 bits of distance in words. The code limit keeps it in range.
            let words = (distance >> 2) as u32 & 0x03ff_ffff;
            *field = (u32::from_le_bytes(*field) & 0xfc00_0000 | words).to_le_bytes();
        }
        other => return Err(format!("relocation of kind {other:?}")),
    }
    Ok(())
}

/// The heaviest chain of calls. The call graph has no cycle: the linker saw to it.
fn deepest(program: &Program, frames: &[usize]) -> usize {
    let mut order: Vec<usize> = (0..frames.len()).collect();
    order.sort_by_key(|&each| std::cmp::Reverse(program.functions[each].depth));
    let mut weight = frames.to_vec();
    for index in order {
        let below = program.functions[index]
            .callees()
            .map(|callee| weight[callee])
            .max();
        weight[index] += below.unwrap_or(0);
    }
    weight.into_iter().max().unwrap_or(0)
}
