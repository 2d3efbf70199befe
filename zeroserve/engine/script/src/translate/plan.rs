//! Where blocks begin, which loops pay fuel, which small loops are repeated.
//!
//! Fuel is charged where a loop begins: at each slot that some jump reaches from itself or from behind it. Every
//! cycle has such a jump, so no program runs for ever without paying. A small loop is written
//! out several times, and pays once for all copies: a jump back leads to the next copy, and from the last to the
//! first, which pays. The copies are numbered and a copy is left forwards only, so at most [`COPIES`] rounds go by
//! between two payments.

use crate::instruction::Instruction;

/// Rounds of a small loop that pay together.
pub(crate) const COPIES: usize = 4;
/// Most slots of a loop that is repeated.
const REPEATED_SLOTS_MAX: usize = 24;

/// A place in the code to be made: copy and slot.
pub(crate) type Place = (usize, usize);

#[derive(Debug)]
pub(crate) struct Plan {
    /// Slots at which a block begins.
    pub leaders: Vec<bool>,
    /// Price of entering a slot; 0 for all but loop heads.
    pub price: Vec<u32>,
    /// Last slot of the repeated loop that begins at this slot; 0 for none.
    repeated: Vec<usize>,
    /// First slot of the repeated loop that a slot lies in.
    member: Vec<Option<usize>>,
}

impl Plan {
    /// Looks at a verified function.
    #[must_use]
    pub(crate) fn of(code: &[Instruction]) -> Self {
        let count = code.len();
        let mut leaders = vec![false; count];
        let mut last_jump = vec![None; count];
        leaders[0] = true;
        for (slot, target) in jumps(code) {
            leaders[target] = true;
            if slot + 1 < count {
                leaders[slot + 1] = true;
            }
            if target <= slot {
                last_jump[target] = last_jump[target].max(Some(slot));
            }
        }
        let mut plan = Self {
            leaders,
            price: vec![0; count],
            repeated: vec![0; count],
            member: vec![None; count],
        };
        for head in 0..count {
            let Some(last) = last_jump[head] else {
                continue;
            };
            let slots = last - head + 1;
            let inner = last_jump[head + 1..=last].iter().any(Option::is_some);
            let calls = code[head..=last].iter().any(|each| each.is_call());
            let rounds = if inner || calls || slots > REPEATED_SLOTS_MAX {
                1
            } else {
                COPIES
            };
            if rounds > 1 {
                plan.repeated[head] = last;
                plan.member[head..=last].fill(Some(head));
            }
            plan.price[head] = u32::try_from(slots * rounds).unwrap_or(u32::MAX);
        }
        plan
    }

    /// Whether any loop pays.
    #[must_use]
    pub(crate) fn has_loops(&self) -> bool {
        self.price.iter().any(|&price| price > 0)
    }

    /// Where a jump (or falling through) from a place to a slot leads.
    #[must_use]
    pub(crate) fn step(&self, from: Place, to: usize) -> Place {
        let (copy, slot) = from;
        match self.member[slot] {
            Some(head) if to == head && to <= slot => ((copy + 1) % COPIES, to),
            Some(head) if self.member[to] == Some(head) => (copy, to),
            _ => (0, to),
        }
    }

    /// What entering a place costs.
    #[must_use]
    pub(crate) fn price_of(&self, place: Place) -> Option<u32> {
        if cfg!(feature = "measure-without-fuel") {
            return None;
        }
        let price = self.price[place.1];
        (place.0 == 0 && price > 0).then_some(price)
    }
}

/// Jumps of a function: from, to.
fn jumps(code: &[Instruction]) -> impl Iterator<Item = (usize, usize)> + '_ {
    let mut second_half = false;
    code.iter().enumerate().filter_map(move |(slot, each)| {
        let skip = second_half;
        second_half = !skip && each.is_wide();
        if skip {
            return None;
        }
        let target = slot as i64 + 1 + each.jump_distance()?;
        Some((
            slot,
            usize::try_from(target).ok().filter(|&at| at < code.len())?,
        ))
    })
}
