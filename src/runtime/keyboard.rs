//! Who reads the keyboard: this program, or the one that the terminal is lent to.
//!
//! ```text
//! terminal ─▶ a task with an EventStream ─▶ events for the loop
//!                │ rest: the stream is dropped, what is typed stays for others
//!                └ wake: a new one reads on
//! ```

use std::io;

use crossterm::event::{Event, EventStream};
use futures::{Stream, StreamExt, stream};
use tokio::sync::{mpsc, watch};

/// Says whether this program reads.
#[derive(Clone, Debug)]
pub(super) struct Keyboard {
    /// Whether it is to rest.
    rest: watch::Sender<bool>,
    /// Whether it does.
    rests: watch::Receiver<bool>,
}

impl Keyboard {
    /// Reads nothing more, from when this returns until [`Keyboard::wake`].
    pub(super) async fn rest(&self) {
        self.rest.send_replace(true);
        // An error: nothing reads any more, which is as good.
        let _ = self.rests.clone().wait_for(|rests| *rests).await;
    }

    pub(super) fn wake(&self) {
        self.rest.send_replace(false);
    }
}

/// What the terminal sends. A task of its own reads it: `EventStream` wakes only
/// whoever polled it first, and the loop polls once more without waiting. Must be
/// called inside the runtime.
pub(super) fn typed() -> (Keyboard, impl Stream<Item = io::Result<Event>>) {
    read(EventStream::new)
}

fn read<S>(
    open: impl Fn() -> S + Send + 'static,
) -> (Keyboard, impl Stream<Item = io::Result<Event>>)
where
    S: Stream<Item = io::Result<Event>> + Send + Unpin + 'static,
{
    let (send, mut typed) = mpsc::unbounded_channel();
    let (rest, mut wish) = watch::channel(false);
    let (resting, rests) = watch::channel(false);
    tokio::spawn(async move {
        while wish.wait_for(|rest| !rest).await.is_ok() {
            resting.send_replace(false);
            let mut events = open();
            loop {
                tokio::select! {
                    event = events.next() => {
                        let Some(event) = event else { return };
                        if send.send(event).is_err() {
                            return;
                        }
                    }
                    wished = wish.wait_for(|rest| *rest) => {
                        if wished.is_err() {
                            return;
                        }
                        break;
                    }
                }
            }
            drop(events);
            resting.send_replace(true);
        }
    });
    let typed = stream::poll_fn(move |cx| typed.poll_recv(cx));
    (Keyboard { rest, rests }, typed)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::SeqCst},
    };

    use super::*;

    /// A stream that counts how many like it there are.
    struct Counted(Arc<AtomicUsize>, bool);

    impl Counted {
        fn new(count: &Arc<AtomicUsize>) -> Self {
            count.fetch_add(1, SeqCst);
            Self(count.clone(), false)
        }
    }

    impl Drop for Counted {
        fn drop(&mut self) {
            self.0.fetch_sub(1, SeqCst);
        }
    }

    impl Stream for Counted {
        type Item = io::Result<Event>;

        /// One event, then silence.
        fn poll_next(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Self::Item>> {
            if std::mem::replace(&mut self.1, true) {
                return std::task::Poll::Pending;
            }
            std::task::Poll::Ready(Some(Ok(Event::FocusGained)))
        }
    }

    #[tokio::test]
    async fn a_resting_keyboard_reads_nothing() {
        let count = Arc::new(AtomicUsize::new(0));
        let (keyboard, typed) = read({
            let count = count.clone();
            move || Counted::new(&count)
        });
        let mut typed = std::pin::pin!(typed);
        assert!(typed.next().await.is_some());
        for _ in 0..3 {
            keyboard.rest().await;
            assert_eq!(count.load(SeqCst), 0);
            keyboard.wake();
            assert!(typed.next().await.is_some());
            assert_eq!(count.load(SeqCst), 1);
        }
    }
}
