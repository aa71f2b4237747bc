//! Amounts with their units: GPUs, memory, time.

use std::{fmt, iter::Sum, ops::Add, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of GPUs, whole or a fraction, exact to a millionth; sums stay exact.
/// Prints and serialises whole numbers as `7`, not `7.0`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Gpus(u64);

impl Gpus {
    pub const ZERO: Self = Self(0);
    const SCALE: u64 = 1_000_000;

    pub fn whole(n: u64) -> Self {
        Self(n.saturating_mul(Self::SCALE))
    }
    /// From millionths of a GPU.
    pub fn from_micros(micros: u64) -> Self {
        Self(micros)
    }
    /// In millionths of a GPU.
    pub fn micros(self) -> u64 {
        self.0
    }
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }
    pub fn is_whole(self) -> bool {
        self.0.is_multiple_of(Self::SCALE)
    }
    /// Whole GPUs, rounded up.
    pub fn ceil(self) -> u64 {
        self.0.div_ceil(Self::SCALE)
    }
    pub fn as_f64(self) -> f64 {
        self.0 as f64 / Self::SCALE as f64
    }
    /// With its unit: `1 GPU`, `0.5 GPUs`, `8 GPUs`.
    pub fn in_words(self) -> String {
        format!("{self} {}", self.unit())
    }
    /// `GPU` for exactly one, else `GPUs`.
    pub fn unit(self) -> &'static str {
        if self == Self::whole(1) { "GPU" } else { "GPUs" }
    }
    #[must_use]
    pub fn times(self, n: u64) -> Self {
        Self(self.0.saturating_mul(n))
    }
    /// What so many replicas of this take at least: as much in all, and of a fraction,
    /// which lies within one GPU, as many whole GPUs as hold all of them.
    #[must_use]
    pub fn of_replicas(self, n: u64) -> Self {
        match Self::SCALE.checked_div(self.0) {
            Some(in_one @ 1..) if n > in_one => Self::whole(n.div_ceil(in_one)),
            _ => self.times(n),
        }
    }
    #[must_use]
    pub fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Add for Gpus {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}
impl std::ops::AddAssign for Gpus {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}
impl Sum for Gpus {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Gpus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / Self::SCALE, self.0 % Self::SCALE);
        if part == 0 {
            f.pad(&whole.to_string())
        } else {
            f.pad(format!("{whole}.{part:06}").trim_end_matches('0'))
        }
    }
}

/// Why an amount could not be read; a lower-case fragment for a finding, and what to
/// write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountError {
    pub message: String,
    pub hint: Option<String>,
}

impl AmountError {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.iter().try_for_each(|hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for AmountError {}

/// What to do about an absurd amount.
const SLIP: &str = "check for a slip of the keyboard";

impl FromStr for Gpus {
    type Err = AmountError;
    /// Reads `2`, `0.5`, `1e0`; not negative, not `inf`, at most six decimals.
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let bad = || AmountError::new(format!("`{text}` is not a number of GPUs"));
        let value: f64 = text.trim().parse().map_err(|_| bad())?;
        if !value.is_finite() {
            return Err(bad());
        }
        if value < 0.0 {
            return Err(
                AmountError::new("a number of GPUs cannot be negative").hint("write `0` for none")
            );
        }
        if value > 1e9 {
            return Err(AmountError::new(format!("`{text}` GPUs is absurd")).hint(SLIP));
        }
        let micros = value * Self::SCALE as f64;
        // What lies between millionths, beyond what a binary fraction must round.
        let rounds = 1e-6 + micros * 4.0 * f64::EPSILON;
        if (micros - micros.round()).abs() > rounds {
            return Err(AmountError::new(format!("`{text}` has more than six decimals")));
        }
        Ok(Self(micros.round() as u64))
    }
}

impl Serialize for Gpus {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if self.is_whole() {
            s.serialize_u64(self.0 / Self::SCALE)
        } else {
            s.serialize_f64(self.as_f64())
        }
    }
}
impl<'de> Deserialize<'de> for Gpus {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let value = f64::deserialize(d)?;
        value.to_string().parse().map_err(serde::de::Error::custom)
    }
}

/// An amount of memory in bytes. Reads `16G`, `512M`, `1.5T`, `16GiB`, `16`
/// (GiB); prints the largest unit that is exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Memory(u64);

impl Memory {
    pub fn from_bytes(bytes: u64) -> Self {
        Self(bytes)
    }
    pub fn bytes(self) -> u64 {
        self.0
    }
}

impl FromStr for Memory {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let trimmed = text.trim();
        let split = trimmed
            .find(|c: char| c.is_ascii_alphabetic() && !matches!(c, 'e' | 'E'))
            .unwrap_or(trimmed.len());
        let (number, unit) = trimmed.split_at(split);
        let factor: u64 = match unit.to_ascii_lowercase().as_str() {
            "" | "g" | "gi" | "gib" | "gb" => 1 << 30,
            "m" | "mi" | "mib" | "mb" => 1 << 20,
            "k" | "ki" | "kib" | "kb" => 1 << 10,
            "t" | "ti" | "tib" | "tb" => 1 << 40,
            "b" => 1,
            _ => {
                return Err(AmountError::new(format!("`{text}` has no unit that is known"))
                    .hint("write `16G` or `512M`"));
            }
        };
        let value: f64 = number.trim().parse().map_err(|_| {
            AmountError::new(format!("`{text}` is not an amount of memory"))
                .hint("write `16G` or `512M`")
        })?;
        let bytes = value * factor as f64;
        if bytes.is_nan() || bytes.round() <= 0.0 {
            return Err(AmountError::new("memory must be more than zero"));
        }
        if bytes > (1u64 << 55) as f64 {
            return Err(AmountError::new(format!("`{text}` of memory is absurd")).hint(SLIP));
        }
        Ok(Self(bytes.round() as u64))
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (shift, unit) in [(40, "T"), (30, "G"), (20, "M"), (10, "K")] {
            if self.0 >= 1 << shift && self.0.is_multiple_of(1 << shift) {
                return f.pad(&format!("{}{unit}", self.0 >> shift));
            }
        }
        f.pad(&format!("{}B", self.0))
    }
}

/// A time limit in whole seconds. Reads `90s`, `30m`, `4h`, `2d`, `1h30m`,
/// `4:00:00`, `1-00:00:00`; a bare number is an error, since systems differ in
/// what it would mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimeLimit(u64);

impl TimeLimit {
    pub fn from_secs(secs: u64) -> Self {
        Self(secs)
    }
    pub fn secs(self) -> u64 {
        self.0
    }
}

impl FromStr for TimeLimit {
    type Err = AmountError;
    fn from_str(text: &str) -> Result<Self, AmountError> {
        let trimmed = text.trim();
        let bad = || {
            AmountError::new(format!("`{text}` is not a time limit"))
                .hint("write `90s`, `30m`, `4h`, `4:00:00` or `1-00:00:00`")
        };
        if !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(AmountError::new(format!("`{text}` has no unit"))
                .hint(format!("write `{text}m` for minutes or `{text}h` for hours")));
        }
        let secs = if trimmed.contains(':') {
            let (days, clock) = match trimmed.split_once('-') {
                Some((days, clock)) => (days.parse::<u64>().map_err(|_| bad())?, clock),
                None => (0, trimmed),
            };
            let parts: Vec<u64> =
                clock.split(':').map(|p| p.parse().map_err(|_| bad())).collect::<Result<_, _>>()?;
            let [hours, minutes, seconds] = parts.as_slice() else {
                return Err(AmountError::new(format!("`{text}` is ambiguous"))
                    .hint("write hours, minutes and seconds: `4:00:00`"));
            };
            if *minutes > 59 || *seconds > 59 {
                return Err(bad());
            }
            let has_days = trimmed.contains('-');
            if has_days && *hours > 23 {
                let (days, hours) = (days.saturating_add(hours / 24), hours % 24);
                return Err(AmountError::new(format!(
                    "`{text}` has more than 23 hours beside its days"
                ))
                .hint(format!("write `{days}-{hours:02}:{minutes:02}:{seconds:02}`")));
            }
            days.checked_mul(86_400)
                .and_then(|s| s.checked_add(hours.checked_mul(3600)?))
                .and_then(|s| s.checked_add(minutes * 60 + seconds))
                .ok_or_else(bad)?
        } else {
            let mut secs: u64 = 0;
            let mut number = String::new();
            for c in trimmed.chars() {
                if c.is_ascii_digit() {
                    number.push(c);
                    continue;
                }
                let unit = match c.to_ascii_lowercase() {
                    's' => 1,
                    'm' => 60,
                    'h' => 3600,
                    'd' => 86_400,
                    _ => return Err(bad()),
                };
                let n: u64 = std::mem::take(&mut number).parse().map_err(|_| bad())?;
                secs = n.checked_mul(unit).and_then(|s| secs.checked_add(s)).ok_or_else(bad)?;
            }
            if !number.is_empty() || trimmed.is_empty() {
                return Err(bad());
            }
            secs
        };
        if secs == 0 {
            return Err(AmountError::new("a time limit must be more than zero"));
        }
        if secs > 86_400 * 366 * 10 {
            return Err(
                AmountError::new(format!("`{text}` is absurd: more than ten years")).hint(SLIP)
            );
        }
        Ok(Self(secs))
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.0 {
            s if s % 86_400 == 0 => format!("{}d", s / 86_400),
            s if s % 3600 == 0 => format!("{}h", s / 3600),
            s if s % 60 == 0 => format!("{}m", s / 60),
            s => format!("{s}s"),
        };
        f.pad(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gpus_print_as_people_write_them() {
        for text in ["0", "7", "0.5", "0.333333", "12.25"] {
            assert_eq!(text.parse::<Gpus>().unwrap().to_string(), text);
        }
        assert_eq!(serde_json::to_string(&Gpus::whole(7)).unwrap(), "7");
        assert_eq!(serde_json::to_string(&Gpus::from_micros(500_000)).unwrap(), "0.5");
        for text in ["two", "-1", "nan", "inf", "1e99", ""] {
            assert!(text.parse::<Gpus>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_less_than_a_millionth_of_a_gpu_is_told() {
        for text in ["1e-9", "1e-7", "1.000000001", "0.3333333"] {
            let error = text.parse::<Gpus>().unwrap_err();
            assert!(error.message.contains("six decimals"), "{text}: {error}");
        }
        for text in ["0.1", "0.7", "123456.654321", "999999999.999999"] {
            assert_eq!(text.parse::<Gpus>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn too_much_and_too_little_memory_are_told_apart() {
        for text in ["1e400", "1e30G", "1e400B"] {
            let error = text.parse::<Memory>().unwrap_err();
            assert!(error.message.contains("absurd"), "{text}: {error}");
        }
        for text in ["0", "-1e400", "1e-400", "0.1B"] {
            let error = text.parse::<Memory>().unwrap_err();
            assert!(error.message.contains("more than zero"), "{text}: {error}");
        }
    }

    #[test]
    fn memory_units() {
        assert_eq!("16".parse::<Memory>().unwrap().bytes(), 16 << 30);
        assert_eq!("16G".parse::<Memory>().unwrap().to_string(), "16G");
        assert_eq!("1.5G".parse::<Memory>().unwrap().to_string(), "1536M");
        for text in ["", "G", "-1G", "16 parsecs", "0"] {
            assert!(text.parse::<Memory>().is_err(), "{text}");
        }
    }

    #[test]
    fn time_limits() {
        for (text, secs) in [
            ("90s", 90),
            ("30m", 1800),
            ("4h", 14_400),
            ("4:00:00", 14_400),
            ("1-00:00:00", 86_400),
            ("1h30m", 5400),
        ] {
            assert_eq!(text.parse::<TimeLimit>().unwrap().secs(), secs, "{text}");
        }
        for text in ["", "90", "4:00", "1:99:00", "h", "0s", "5x", "-5m"] {
            assert!(text.parse::<TimeLimit>().is_err(), "{text}");
        }
        // Without days, hours are as many as they are.
        assert_eq!("36:00:00".parse::<TimeLimit>().unwrap().secs(), 129_600);
        let error = "1-24:30:00".parse::<TimeLimit>().unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("write `2-00:30:00`"));
    }
}
