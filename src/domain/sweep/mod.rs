//! Sweeps: from parameters and their values to one combination per job.
//!
//! ```text
//! sweep ─(grid│zip)▶ combinations ─exclude▶ ─include▶ jobs name-1, name-2, …
//! ```
//! The number of combinations is known before any is made, so absurd ones are
//! refused for the price of a multiplication.

use std::{collections::HashSet, sync::Arc};

use self::read::{maps_of, name_is_sound, read_values};
use super::{
    batch::sink::{Place, Sink},
    nearest::nearest,
    tree::{Node, Scalar, Value as TreeValue},
};

pub mod range;
mod read;

/// A batch expands to at most this many jobs.
pub const MAX_JOBS: u64 = 1_000_000;

/// A value of a parameter, with the text it is written with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    pub text: Arc<str>,
    /// A number, a truth value or null, written without quotes.
    pub plain: bool,
}

impl Value {
    fn of(scalar: &Scalar) -> Self {
        let typed = scalar.is_null() || scalar.as_bool().is_some() || scalar.as_number().is_some();
        // Where nothing is written there is no text to keep: it is null by its name.
        let text = if scalar.is_null() && scalar.text.is_empty() { "null" } else { &scalar.text };
        Self { text: text.into(), plain: typed }
    }

    fn number(&self) -> Option<f64> {
        Scalar { text: self.text.to_string(), plain: self.plain }.as_number()
    }

    /// By text, or as numbers when both are.
    #[allow(clippy::float_cmp, reason = "the same number, however it is written")]
    fn matches(&self, other: &Self) -> bool {
        self.text == other.text
            || matches!((self.number(), other.number()), (Some(a), Some(b)) if a == b)
    }
}

/// The sweep of one entry, ready to be expanded.
#[derive(Clone, Debug)]
pub struct Sweep {
    pub names: Vec<Arc<str>>,
    /// By parameter: its values, then those that only `include` gives it.
    values: Vec<Vec<Value>>,
    /// By parameter: how many of its values are its own.
    own: Vec<usize>,
    zip: bool,
    excludes: Vec<Exclusion>,
    /// By inclusion and parameter: index of its value.
    includes: Vec<Vec<u32>>,
}

/// Combinations that are left out.
#[derive(Clone, Debug)]
struct Exclusion {
    place: Place,
    /// By parameter: which of its values are meant; `None`: all.
    values: Vec<Option<Vec<bool>>>,
}

impl Exclusion {
    fn matches(&self, row: &[u32]) -> bool {
        self.values.iter().zip(row).all(|(values, index)| {
            values.as_ref().is_none_or(|v| v.get(*index as usize).copied().unwrap_or(false))
        })
    }
}

/// The combinations of a sweep, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Combinations {
    /// Indices of values, `width` to a combination.
    flat: Vec<u32>,
    width: usize,
    pub count: usize,
    /// Exclusions that matched nothing.
    pub idle: Vec<Place>,
}

impl Combinations {
    pub fn get(&self, n: usize) -> &[u32] {
        self.flat.get(n * self.width..(n + 1) * self.width).unwrap_or_default()
    }
}

/// The parameter has no value in this combination.
const NONE: u32 = u32::MAX;

/// The fields of an entry that make its sweep, with their places.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    pub sweep: (&'a Node, &'a Place),
    pub mode: Option<&'a Node>,
    pub exclude: Option<(&'a Node, &'a Place)>,
    pub include: Option<(&'a Node, &'a Place)>,
}

impl Sweep {
    /// Reads a sweep. `None`: it cannot be expanded, and the sink says why.
    pub fn read(written: Written, sink: &mut Sink) -> Option<Self> {
        let (node, place) = written.sweep;
        let TreeValue::Map(entries) = &node.value else {
            sink.error(place, format!("{} where parameters with values are expected", node.kind()))
                .hint("write `sweep: {lr: [1e-3, 1e-2]}`");
            return None;
        };
        let zip = written.mode.and_then(Node::as_scalar).is_some_and(|s| s.text == "zip");
        let mut names: Vec<Arc<str>> = Vec::new();
        let mut values = Vec::new();
        let mut sound = true;
        for entry in entries {
            let at = place.key(&entry.key, entry.key_span);
            if names.iter().any(|n| **n == *entry.key) {
                sink.error(&at, format!("the parameter `{}` stands here twice", entry.key));
                continue;
            }
            sound &= name_is_sound(&entry.key, &names, &at, sink);
            let at = place.key(&entry.key, entry.value.span);
            match read_values(&entry.value, zip, &at, sink) {
                Some(list) => {
                    names.push(entry.key.as_str().into());
                    values.push(list);
                }
                None => sound = false,
            }
        }
        if entries.is_empty() {
            sink.error(place, "the sweep has no parameters")
                .hint("write `sweep: {lr: [1e-3, 1e-2]}`, or remove it");
        }
        if !sound || names.is_empty() {
            return None;
        }
        let own: Vec<usize> = values.iter().map(Vec::len).collect();
        if zip && own.iter().any(|n| Some(n) != own.first()) {
            let lengths: Vec<_> =
                names.iter().zip(&own).map(|(name, n)| format!("{name} has {n}")).collect();
            sink.error(place, format!("zip needs equally many values: {}", lengths.join(", ")))
                .hint("give every parameter as many values, or use `sweep_mode: grid`");
            return None;
        }
        let mut sweep =
            Self { names, values, own, zip, excludes: Vec::new(), includes: Vec::new() };
        if sweep.count() > u128::from(MAX_JOBS) {
            let count = sweep.count();
            sink.error(
                place,
                format!("the sweep makes {count} jobs; at most {MAX_JOBS} make a batch"),
            )
            .hint("give fewer values, or use `sweep_mode: zip`");
            return None;
        }
        if let Some((node, place)) = written.exclude {
            sweep.read_excludes(node, place, sink);
        }
        if let Some((node, place)) = written.include {
            sweep.read_includes(node, place, sink);
        }
        Some(sweep)
    }

    /// Combinations before any is excluded.
    fn count(&self) -> u128 {
        let own = if self.zip {
            self.own.first().copied().unwrap_or(0) as u128
        } else {
            self.own.iter().fold(1_u128, |n, len| n.saturating_mul(*len as u128))
        };
        own + self.includes.len() as u128
    }

    pub fn value(&self, parameter: usize, index: u32) -> Option<&Value> {
        self.values.get(parameter)?.get(index as usize)
    }

    fn read_excludes(&mut self, node: &Node, place: &Place, sink: &mut Sink) {
        for (item, at) in maps_of(node, place, sink) {
            let mut values: Vec<Option<Vec<bool>>> = vec![None; self.names.len()];
            let found = self.assignments(item, &at, sink);
            let is_sound = matches!(&item.value, TreeValue::Map(m) if m.len() == found.len());
            if found.is_empty() && is_sound {
                sink.error(&at, "an empty combination").hint("name a parameter and its value");
            }
            for (parameter, value) in &found {
                let own = self.own.get(*parameter).copied().unwrap_or(0);
                let all = self.values.get(*parameter).map_or(&[][..], Vec::as_slice);
                let hits = all.iter().take(own).map(|v| v.matches(value)).collect();
                if let Some(slot) = values.get_mut(*parameter) {
                    *slot = Some(hits);
                }
            }
            if is_sound && !found.is_empty() {
                self.excludes.push(Exclusion { place: at, values });
            }
        }
    }

    fn read_includes(&mut self, node: &Node, place: &Place, sink: &mut Sink) {
        for (item, at) in maps_of(node, place, sink) {
            let mut row = vec![NONE; self.names.len()];
            for (parameter, value) in self.assignments(item, &at, sink) {
                let Some(values) = self.values.get_mut(parameter) else { continue };
                // As written: `1.0` is not taken for an own value `1`.
                let index = values.iter().position(|v| *v == value).unwrap_or_else(|| {
                    values.push(value);
                    values.len() - 1
                });
                if let Some(slot) = row.get_mut(parameter) {
                    *slot = index as u32;
                }
            }
            if row.iter().any(|i| *i != NONE) {
                self.includes.push(row);
            }
        }
    }

    /// The parameters that a combination names, with their values.
    fn assignments(&self, item: &Node, place: &Place, sink: &mut Sink) -> Vec<(usize, Value)> {
        let TreeValue::Map(entries) = &item.value else { return Vec::new() };
        let mut found = Vec::new();
        for entry in entries {
            let at = place.key(&entry.key, entry.value.span);
            let Some(parameter) = self.names.iter().position(|n| **n == *entry.key) else {
                let at = place.key(&entry.key, entry.key_span);
                sink.error(&at, format!("`{}` is not a parameter of this sweep", entry.key))
                    .did_you_mean(nearest(&entry.key, self.names.iter().map(|n| &**n)));
                continue;
            };
            match entry.value.as_scalar() {
                Some(scalar) => found.push((parameter, Value::of(scalar))),
                None => {
                    sink.error(&at, format!("{} where one value is expected", entry.value.kind()));
                }
            }
        }
        found
    }

    /// Every combination, first parameter slowest, then the inclusions.
    pub fn expand(&self) -> Combinations {
        let width = self.names.len();
        let own = (self.count() as usize).saturating_sub(self.includes.len());
        let mut out = Combinations {
            flat: Vec::with_capacity(own.saturating_add(self.includes.len()) * width),
            width,
            count: 0,
            idle: Vec::new(),
        };
        let mut hits = vec![false; self.excludes.len()];
        let mut row = vec![0_u32; width];
        for n in 0..own {
            if self.zip {
                row.fill(n as u32);
            }
            let mut excluded = false;
            for (exclusion, hit) in self.excludes.iter().zip(&mut hits) {
                if exclusion.matches(&row) {
                    *hit = true;
                    excluded = true;
                }
            }
            if !excluded {
                out.flat.extend_from_slice(&row);
                out.count += 1;
            }
            if !self.zip {
                for (digit, len) in row.iter_mut().zip(&self.own).rev() {
                    *digit += 1;
                    if (*digit as usize) < *len {
                        break;
                    }
                    *digit = 0;
                }
            }
        }
        for row in &self.includes {
            out.flat.extend_from_slice(row);
            out.count += 1;
        }
        let idle = self.excludes.iter().zip(&hits).filter(|(_, hit)| !**hit);
        out.idle = idle.map(|(exclusion, _)| exclusion.place.clone()).collect();
        out
    }

    /// Positions (from 1) of combinations that stand there twice.
    pub fn repeated(&self, combinations: &Combinations) -> Vec<usize> {
        // Own values are distinct, so only inclusions and zips can repeat a combination.
        if self.includes.is_empty() && !self.zip {
            return Vec::new();
        }
        let mut seen = HashSet::new();
        (0..combinations.count)
            .filter(|n| !seen.insert(combinations.get(*n)))
            .map(|n| n + 1)
            .collect()
    }
}
