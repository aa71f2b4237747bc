//! Ranges of numbers in exact decimal arithmetic: ten steps of `0.1` make `1`,
//! and every value prints the way the bounds were written.

/// A decimal number: `mantissa × 10^exponent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Decimal {
    mantissa: i128,
    exponent: i32,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let (number, exponent) = match text.split_once(['e', 'E']) {
            Some((number, exponent)) => (number, exponent.parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (sign, digits) = match number.strip_prefix(['-', '+']) {
            Some(rest) => (if number.starts_with('-') { -1 } else { 1 }, rest),
            None => (1, number),
        };
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let all: String = whole.chars().chain(part.chars()).collect();
        if all.is_empty() || all.len() > 30 || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        if !(-300..=300).contains(&exponent) {
            return None;
        }
        let mantissa = all.parse::<i128>().ok()?;
        Some(Self {
            mantissa: sign * mantissa,
            exponent: exponent - i32::try_from(part.len()).ok()?,
        })
    }

    /// The mantissa at a smaller exponent.
    fn at(self, exponent: i32) -> Option<i128> {
        let shift = u32::try_from(self.exponent - exponent).ok()?;
        if self.mantissa == 0 {
            return Some(0);
        }
        10_i128.checked_pow(shift)?.checked_mul(self.mantissa)
    }
}

/// How values are printed, taken from how the bounds were written.
#[derive(Debug, Default)]
struct Style {
    /// `e-3`, to be put behind every value, with the power it stands for.
    suffix: Option<(String, i32)>,
    /// Digits behind the point at least.
    decimals: usize,
    /// Digits before the point at least (`007`).
    width: usize,
}

impl Style {
    fn of(start: &str, step: &str) -> Self {
        let exponent = |text: &str| {
            let at = text.find(['e', 'E'])?;
            let suffix = text.get(at..)?;
            Some((suffix.to_owned(), suffix.get(1..)?.parse::<i32>().ok()?))
        };
        let is_zero = Decimal::parse(start).is_some_and(|d| d.mantissa == 0);
        let suffix = exponent(start).or_else(|| exponent(step).filter(|_| is_zero));
        let number = start.split(['e', 'E']).next().unwrap_or_default();
        let digits = number.trim_start_matches(['-', '+']);
        let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
        let padded = whole.len() > 1 && whole.starts_with('0');
        Self { suffix, decimals: part.len(), width: if padded { whole.len() } else { 1 } }
    }

    fn print(&self, value: i128, exponent: i32) -> String {
        match &self.suffix {
            Some(_) if value == 0 => "0".into(),
            Some((suffix, power)) => {
                format!("{}{suffix}", plain(value, exponent - power, self.decimals, self.width))
            }
            None => plain(value, exponent, self.decimals, self.width),
        }
    }
}

/// A decimal without an exponent; trailing zeros beyond `decimals` are dropped.
fn plain(value: i128, exponent: i32, decimals: usize, width: usize) -> String {
    let sign = if value < 0 { "-" } else { "" };
    let mut digits = value.unsigned_abs().to_string();
    let mut part = String::new();
    if exponent >= 0 {
        digits.extend(std::iter::repeat_n('0', exponent.unsigned_abs() as usize));
    } else {
        let places = exponent.unsigned_abs() as usize;
        if digits.len() <= places {
            digits = format!("{}{digits}", "0".repeat(places + 1 - digits.len()));
        }
        part = digits.split_off(digits.len() - places);
    }
    while part.len() > decimals && part.ends_with('0') {
        part.pop();
    }
    while part.len() < decimals {
        part.push('0');
    }
    let digits = digits.trim_start_matches('0');
    let zeros = "0".repeat(width.saturating_sub(digits.len()));
    let point = if part.is_empty() { "" } else { "." };
    format!("{sign}{zeros}{digits}{point}{part}")
}

/// Why a range has no values; fragments for a finding.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRange {
    #[error("{0}")]
    Faulty(String),
    /// It can be counted, but holds more than anybody wants.
    #[error("{0}")]
    TooMany(String),
}

/// The values of `[start, stop)` in steps of `step` (default 1), as text.
///
/// # Errors
/// Why there are none.
pub fn values(start: &str, stop: &str, step: &str, most: u64) -> Result<Vec<String>, NoRange> {
    let number = |text: &str| {
        Decimal::parse(text).ok_or_else(|| {
            NoRange::Faulty(format!("`{text}` is not a number a range can count in"))
        })
    };
    let (from, to, by) = (number(start)?, number(stop)?, number(step)?);
    let exponent = from.exponent.min(to.exponent).min(by.exponent).min(0);
    let too_fine =
        || NoRange::TooMany("the range is too fine or too large to be counted exactly".to_owned());
    let at = |d: Decimal| d.at(exponent).ok_or_else(too_fine);
    let (from, to, by) = (at(from)?, at(to)?, at(by)?);
    if by == 0 {
        return Err(NoRange::Faulty("the step of a range cannot be zero".into()));
    }
    let distance = to.checked_sub(from).ok_or_else(too_fine)?;
    if distance == 0 || (distance > 0) != (by > 0) {
        return Err(NoRange::Faulty(format!(
            "the range from {start} up to {stop} in steps of {step} is empty"
        )));
    }
    let count = (distance.unsigned_abs() - 1) / by.unsigned_abs() + 1;
    if count > u128::from(most) {
        return Err(NoRange::TooMany(format!(
            "the range holds {count} values; at most {most} jobs make a batch"
        )));
    }
    let style = Style::of(start, step);
    // Every value lies between the bounds, so nothing overflows.
    Ok((0..count.cast_signed()).map(|i| style.print(from + i * by, exponent)).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::values;

    fn range(start: &str, stop: &str, step: &str) -> String {
        values(start, stop, step, 1_000_000).map_or_else(|e| e.to_string(), |v| v.join(" "))
    }

    #[test]
    fn values_print_as_their_bounds_are_written() {
        for (start, stop, step, expected) in [
            ("0", "3", "1", "0 1 2"),
            ("0", "1", "0.25", "0 0.25 0.5 0.75"),
            ("0.0", "1", "0.5", "0.0 0.5"),
            ("0.1", "0.5", "0.1", "0.1 0.2 0.3 0.4"),
            ("3", "0", "-1", "3 2 1"),
            ("1e-3", "4e-3", "1e-3", "1e-3 2e-3 3e-3"),
            ("0", "3e-4", "1e-4", "0 1e-4 2e-4"),
            ("1e2", "1e3", "3e2", "1e2 4e2 7e2"),
            ("-1", "1", "0.5", "-1 -0.5 0 0.5"),
            ("008", "011", "1", "008 009 010"),
            ("5", "1e1", "2", "5 7 9"),
            ("1", "2", "3", "1"),
        ] {
            assert_eq!(range(start, stop, step), expected, "{start} {stop} {step}");
        }
    }

    #[test]
    fn tenths_do_not_drift() {
        let tenths = values("0", "100", "0.1", 10_000).unwrap();
        assert_eq!(tenths.len(), 1000);
        assert_eq!(tenths[3], "0.3");
        assert_eq!(tenths[999], "99.9");
    }

    #[test]
    fn what_cannot_be_counted_is_refused() {
        for (start, stop, step, word) in [
            ("0", "3", "0", "zero"),
            ("0", "0", "1", "empty"),
            ("3", "0", "1", "empty"),
            ("x", "3", "1", "not a number"),
            ("0", "1e9", "1", "1000000000 values"),
            ("0", "1e300", "1e-300", "too fine"),
            ("nan", "3", "1", "not a number"),
        ] {
            let error = range(start, stop, step);
            assert!(error.contains(word), "{error}");
        }
    }

    proptest! {
        #[test]
        fn whole_ranges_count_like_the_language_does(a in -50_i64..50, b in -50_i64..50, s in 1_i64..7) {
            let expected: Vec<i64> = (a..b).step_by(s as usize).collect();
            let found = values(&a.to_string(), &b.to_string(), &s.to_string(), 1000);
            let found: Vec<i64> =
                found.unwrap_or_default().iter().map(|v| v.parse().unwrap()).collect();
            prop_assert_eq!(found, expected);
        }
    }
}
