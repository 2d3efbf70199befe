//! Budgets for what is cheap to send and not to answer. They fill up again by the second.

/// So many at once, and so many a second in the long run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    left: u32,
    burst: u32,
    per_second: u32,
}

impl Budget {
    pub(super) const fn new(burst: u32, per_second: u32) -> Self {
        Self {
            left: burst,
            burst,
            per_second,
        }
    }

    /// Takes so many; false when there are not enough left.
    #[must_use]
    pub(super) const fn spend(&mut self, count: u32) -> bool {
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    pub(super) const fn is_spent(&self) -> bool {
        self.left == 0
    }

    /// The peer was given reason for so many more; never above the burst.
    #[inline]
    pub(super) const fn earn(&mut self, count: u32) {
        let left = self.left.saturating_add(count);
        self.left = if left < self.burst { left } else { self.burst };
    }

    pub(super) fn refill(&mut self, seconds: u64) {
        let gained = u64::from(self.per_second).saturating_mul(seconds);
        let left = u64::from(self.left)
            .saturating_add(gained)
            .min(u64::from(self.burst));
        self.left = u32::try_from(left).unwrap_or(self.burst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_runs_out_and_fills_up_to_its_burst() {
        let mut budget = Budget::new(3, 2);
        assert_eq!([0; 4].map(|_| budget.spend(1)), [true, true, true, false]);
        budget.refill(1);
        assert_eq!([0; 3].map(|_| budget.spend(1)), [true, true, false]);
        budget.refill(u64::MAX);
        assert_eq!([0; 4].map(|_| budget.spend(1)), [true, true, true, false]);
        assert!(budget.is_spent());
        budget.earn(2);
        assert_eq!([3, 2].map(|count| budget.spend(count)), [false, true]);
        budget.earn(u32::MAX);
        assert_eq!([4, 3].map(|count| budget.spend(count)), [false, true]);
    }
}
