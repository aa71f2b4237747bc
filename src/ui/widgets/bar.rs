//! Bars: shares of a whole. Every share has a filling of its own, so that it can
//! be told without colour.

use ratatui::{
    style::Style,
    text::{Line, Span},
};

use crate::{domain::status::Status, ui::theme::Theme};

/// Columns for each share, summing up to `width`. A share that is not nothing
/// gets at least one column while there are enough.
pub fn shares(parts: &[u64], width: usize) -> Vec<usize> {
    let total: u64 = parts.iter().sum();
    if total == 0 || width == 0 {
        return vec![0; parts.len()];
    }
    let exact = |n: u64| (u128::from(n) * width as u128, u128::from(total));
    let mut columns: Vec<usize> = parts
        .iter()
        .map(|n| {
            let (a, b) = exact(*n);
            ((a / b) as usize).max(usize::from(*n > 0))
        })
        .collect();
    // Take from the largest, give to the one that lost most by rounding.
    while columns.iter().sum::<usize>() > width {
        match columns.iter_mut().filter(|c| **c > 0).max_by_key(|c| **c) {
            Some(most) => *most -= 1,
            None => break,
        }
    }
    while columns.iter().sum::<usize>() < width {
        let lost = |i: usize| {
            let (a, b) = exact(parts.get(i).copied().unwrap_or(0));
            let have = columns.get(i).copied().unwrap_or(0) as u128;
            a.saturating_sub(have * b)
        };
        let Some(i) = (0..parts.len()).rev().max_by_key(|i| lost(*i)) else { break };
        if let Some(c) = columns.get_mut(i) {
            *c += 1;
        }
    }
    columns
}

/// A bar of several fillings.
pub fn stacked(parts: &[(u64, &'static str, Style)], width: u16) -> Line<'static> {
    let amounts: Vec<u64> = parts.iter().map(|(n, ..)| *n).collect();
    let columns = shares(&amounts, usize::from(width));
    let filled = parts.iter().zip(columns);
    filled.map(|((_, symbol, style), n)| Span::styled(symbol.repeat(n), *style)).collect()
}

/// How a run stands: done, running, on its way, failed, not sent.
pub fn run(counts: &[(Status, usize)], width: u16, theme: &Theme) -> Line<'static> {
    let of = |wanted: &[Status]| -> u64 {
        counts.iter().filter(|(s, _)| wanted.contains(s)).map(|(_, n)| *n as u64).sum()
    };
    stacked(
        &[
            (of(&[Status::Succeeded]), "█", theme.succeeded),
            (of(&[Status::Running]), "▓", theme.running),
            (of(&[Status::Pending, Status::Submitting, Status::Unknown]), "▒", theme.pending),
            (of(&[Status::Waiting]), "░", theme.waiting),
            (of(&[Status::Failed, Status::Rejected, Status::Lost]), "✗", theme.failed),
            (of(&[Status::Stopped, Status::NotSubmitted]), "–", theme.stopped),
        ],
        width,
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_single_failure_among_many_is_seen() {
        assert_eq!(shares(&[10_000, 1], 20), [19, 1]);
        assert_eq!(shares(&[1, 1, 1], 9), [3, 3, 3]);
        assert_eq!(shares(&[0, 0], 9), [0, 0]);
    }

    proptest! {
        #[test]
        fn bars_are_as_wide_as_asked(parts in prop::collection::vec(0u64..1_000_000, 1..8), width in 0usize..200) {
            let columns = shares(&parts, width);
            let full = if parts.iter().sum::<u64>() == 0 { 0 } else { width };
            prop_assert_eq!(columns.iter().sum::<usize>(), full);
        }
    }
}
