//! All rows as of one commit, while the store works on.
//!
//! The tree is read bit by bit. What is committed meanwhile is noted by whoever
//! commits, and given between the bits in the order in which it happened. A row that
//! was read before a commit changed it stands before what that commit noted, one that
//! was read after it is the new one already. So whoever applies everything in its
//! order, the later over the earlier, ends with the rows as of the last commit noted.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, Weak};

use tokio::task::spawn_blocking;

use crate::error::StoreError;
use crate::overlay::{Changed, Order, Read};
use crate::shared::{Backend, Sight, locked};

/// A key and its stored value; none where it was removed.
pub(crate) type Row = (Vec<u8>, Option<Vec<u8>>);

/// Read at a time. Meanwhile a commit waits.
const STEP_BYTES: usize = 256 * 1024;
/// What may be noted and not yet be asked for: a reader who is slower than the host writes gets no more.
pub(crate) const NOTED_BYTES_MAX: usize = 64 << 20;

/// What is noted of commits, for one reader at a time.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<Noted>);

#[derive(Debug, Default)]
struct Noted {
    open: Option<Open>,
    /// Of the last one that was opened.
    number: u64,
}

#[derive(Debug, Default)]
struct Open {
    rows: Vec<Row>,
    bytes: usize,
    failed: Option<StoreError>,
}

impl Notes {
    /// To be called between two commits: of each that comes, everything is noted.
    fn begin(self: Arc<Notes>) -> Result<Begun, StoreError> {
        let mut noted = locked(&self.0);
        // One that has failed is over, whether its reader has noticed or not.
        if noted.open.as_ref().is_some_and(|open| open.failed.is_none()) {
            return Err(StoreError::Conflict("a backup is under way: wait until it is done".to_owned()));
        }
        noted.number += 1;
        noted.open = Some(Open::default());
        let number = noted.number;
        drop(noted);
        Ok(Begun { notes: self, number })
    }

    /// What a commit will write, where somebody wants to know.
    pub(crate) fn copy_of(&self, changed: &Changed) -> Option<Vec<Row>> {
        let wanted = locked(&self.0).open.as_ref().is_some_and(|open| open.failed.is_none());
        wanted.then(|| changed.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
    }

    /// To be called once it is on disk, by the one thread that commits.
    pub(crate) fn note(&self, rows: Vec<Row>) {
        let mut noted = locked(&self.0);
        let Some(open) = noted.open.as_mut().filter(|open| open.failed.is_none()) else { return };
        open.bytes += rows.iter().map(bytes_of).sum::<usize>();
        open.rows.extend(rows);
        if open.bytes > NOTED_BYTES_MAX {
            let why =
                "the backup is read more slowly than the host writes: write it to a faster place, or at a quieter time";
            open.fail(&StoreError::Conflict(why.to_owned()));
        }
    }

    /// A commit failed: nobody knows what of it was read.
    pub(crate) fn fail(&self, error: &StoreError) {
        locked(&self.0).open.iter_mut().for_each(|open| open.fail(error));
    }

    /// What was noted, and after it some rows of the tree; and where to go on, unless that was the end.
    fn step(&self, number: u64, tree: &dyn Read, from: &[u8]) -> Result<(Vec<Row>, Option<Vec<u8>>), StoreError> {
        // Commits go on while the tree is read: what they change is noted, and comes later than what is read here.
        let mut rows = locked(&self.0).take(number)?;
        let (mut bytes, mut next) = (0, None);
        tree.scan(from, &[u8::MAX; 1], Order::Ascending, &mut |key, value| {
            let row = (key.to_vec(), Some(value.to_vec()));
            bytes += bytes_of(&row);
            rows.push(row);
            if bytes < STEP_BYTES {
                return Ok(ControlFlow::Continue(()));
            }
            next = Some([key, &[0]].concat());
            Ok(ControlFlow::Break(()))
        })?;
        Ok((rows, next))
    }

    /// The last of what was noted.
    fn end(&self, number: u64) -> Result<Vec<Row>, StoreError> {
        let mut noted = locked(&self.0);
        let rows = noted.take(number)?;
        noted.open = None;
        Ok(rows)
    }

    fn forget(&self, number: u64) {
        let mut noted = locked(&self.0);
        if noted.number == number {
            noted.open = None;
        }
    }
}

impl Noted {
    fn take(&mut self, number: u64) -> Result<Vec<Row>, StoreError> {
        let open = self.open.as_mut().filter(|_| self.number == number);
        let gone = || StoreError::Unavailable("the backup has ended".to_owned());
        let open = open.ok_or_else(gone)?;
        if let Some(error) = &open.failed {
            return Err(error.clone());
        }
        open.bytes = 0;
        Ok(std::mem::take(&mut open.rows))
    }
}

impl Open {
    fn fail(&mut self, error: &StoreError) {
        self.rows = Vec::new();
        self.failed.get_or_insert_with(|| error.clone());
    }
}

fn bytes_of((key, value): &Row) -> usize {
    key.len() + value.as_ref().map_or(0, Vec::len)
}

/// Dropped, nothing is noted any more.
pub(crate) struct Begun {
    notes: Arc<Notes>,
    number: u64,
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.notes.forget(self.number);
    }
}

/// A reader of all rows.
pub struct Snapshot {
    backend: Weak<dyn Backend>,
    begun: Arc<Begun>,
    sight: Sight,
    at: Place,
}

/// `commit` runs what it is given as a change.
pub(crate) async fn of<F>(
    backend: Arc<dyn Backend>,
    commit: impl FnOnce(Box<dyn FnOnce() -> Result<Begun, StoreError> + Send>) -> F,
) -> Result<Snapshot, StoreError>
where
    F: Future<Output = Result<Begun, StoreError>>,
{
    let state = backend.state();
    let (sight, notes) = (state.sight(), state.notes.clone());
    let begun = commit(Box::new(|| notes.begin())).await?;
    let backend = Arc::downgrade(&backend);
    Ok(Snapshot { backend, begun: Arc::new(begun), sight, at: Place::From(Vec::new()) })
}

enum Place {
    From(Vec<u8>),
    Scanned,
    Ended,
}

impl Snapshot {
    /// Some rows, to be applied over those before; nothing after the last. After an error there is no snapshot.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        let backend = self.backend.upgrade();
        let backend = backend.ok_or_else(|| StoreError::Unavailable("the store is closed".to_owned()))?;
        match std::mem::replace(&mut self.at, Place::Ended) {
            Place::From(key) => {
                let begun = self.begun.clone();
                let step = spawn_blocking(move || begun.notes.step(begun.number, &*backend.tree()?, &key)).await;
                let panicked = |_| StoreError::Unavailable("reading for the backup panicked".to_owned());
                let (rows, next) = step.map_err(panicked)??;
                self.at = next.map_or(Place::Scanned, Place::From);
                Ok(Some(rows))
            }
            Place::Scanned => {
                // A row that was read may be of a commit that is not on disk yet, and not noted.
                backend.state().settled(self.sight).await?;
                self.begun.notes.end(self.begun.number).map(Some)
            }
            Place::Ended => Ok(None),
        }
    }
}
