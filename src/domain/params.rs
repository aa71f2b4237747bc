//! The parameters of one job of a sweep: names and values as text, in the order
//! of the sweep. Compact, because a run may hold a hundred thousand of them.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};

/// Names and values are shared between the jobs of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Params(Box<[(Arc<str>, Arc<str>)]>);

impl Params {
    pub fn new(pairs: Vec<(Arc<str>, Arc<str>)>) -> Self {
        Self(pairs.into_boxed_slice())
    }
    /// Takes names, and values that are equal, from another job of its group.
    pub fn share(&mut self, other: &Self) {
        for ((name, value), (known, known_value)) in self.0.iter_mut().zip(&other.0) {
            if name == known {
                *name = known.clone();
            }
            if value == known_value {
                *value = known_value.clone();
            }
        }
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(n, _)| *n == name).map(|(_, value)| value)
    }
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
}

impl FromIterator<(String, String)> for Params {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().map(|(n, v)| (n.into(), v.into())).collect())
    }
}

/// `lr=1e-3 seed=3`, as rows show it.
impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.iter().enumerate() {
            let gap = if i == 0 { "" } else { " " };
            write!(f, "{gap}{name}={value}")?;
        }
        Ok(())
    }
}

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        let mut map = s.serialize_map(Some(self.len()))?;
        for (name, value) in self.iter() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Params {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> de::Visitor<'de> for Pairs {
            type Value = Params;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of parameters")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Params, A::Error> {
                let mut pairs = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, String>()? {
                    pairs.push((name.into(), value.into()));
                }
                Ok(Params::new(pairs))
            }
        }
        d.deserialize_map(Pairs)
    }
}
