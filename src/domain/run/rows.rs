//! The rows of a run, shared by all who hold the run as it stands.
//!
//! A session, its handle and the screen each have a `Run` of their own; of a run
//! of a hundred thousand jobs there is still only one copy. Cloning costs a
//! sixteenth of a pointer a row, and a change copies its chunk of rows at most.

use std::{
    iter::FlatMap,
    ops::{Index, IndexMut},
    slice,
    sync::Arc,
};

use super::RunJob;

/// Rows that are shared, and copied when one of them changes, together.
const CHUNK: usize = 16;

type Chunk = Arc<[RunJob]>;

/// In batch order; a row is found by [`super::JobIx::index`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// All but the last are full.
    chunks: Vec<Chunk>,
    len: usize,
}

/// The rows in order.
pub type Iter<'a> = FlatMap<slice::Iter<'a, Chunk>, &'a [RunJob], fn(&'a Chunk) -> &'a [RunJob]>;

impl Rows {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, at: usize) -> Option<&RunJob> {
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)
    }

    /// To change it. Costs a copy of its chunk while somebody else holds that too.
    pub fn get_mut(&mut self, at: usize) -> Option<&mut RunJob> {
        Arc::make_mut(self.chunks.get_mut(at / CHUNK)?).get_mut(at % CHUNK)
    }

    pub fn iter(&self) -> Iter<'_> {
        self.chunks.iter().flat_map(|chunk| chunk)
    }

    /// To change all of them: nothing is shared afterwards.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut RunJob> {
        self.chunks.iter_mut().flat_map(Arc::make_mut)
    }
}

impl FromIterator<RunJob> for Rows {
    fn from_iter<I: IntoIterator<Item = RunJob>>(rows: I) -> Self {
        let mut rows = rows.into_iter();
        let mut all = Self::default();
        loop {
            let chunk: Chunk = rows.by_ref().take(CHUNK).collect();
            if chunk.is_empty() {
                all.chunks.shrink_to_fit();
                return all;
            }
            all.len += chunk.len();
            all.chunks.push(chunk);
        }
    }
}

impl<'a> IntoIterator for &'a Rows {
    type Item = &'a RunJob;
    type IntoIter = Iter<'a>;
    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

impl Index<usize> for Rows {
    type Output = RunJob;
    fn index(&self, at: usize) -> &RunJob {
        &self.chunks[at / CHUNK][at % CHUNK]
    }
}

impl IndexMut<usize> for Rows {
    fn index_mut(&mut self, at: usize) -> &mut RunJob {
        &mut Arc::make_mut(&mut self.chunks[at / CHUNK])[at % CHUNK]
    }
}
