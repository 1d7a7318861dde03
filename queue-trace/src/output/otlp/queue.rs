//! What waits to be sent.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

use super::delivery::Delivery;

/// One request, as it goes over the wire.
#[derive(Debug, Clone)]
pub(super) struct Batch {
    /// The encoded message.
    pub(super) body: Bytes,
    /// How many data points or log records are in it.
    pub(super) items: u64,
}

/// A queue that is bounded in bytes. Where there is no room the oldest goes: newer points of the same
/// counters say what it said, but for when.
#[derive(Debug)]
pub(super) struct Queue {
    waiting: Mutex<Waiting>,
    more: Notify,
    idle: Notify,
    most_bytes: usize,
    delivery: Arc<Delivery>,
}

#[derive(Debug, Default)]
struct Waiting {
    batches: VecDeque<Batch>,
    bytes: usize,
    /// Items of the batch that was taken out and is not dealt with yet.
    in_hand: Option<u64>,
}

impl Waiting {
    fn pop(&mut self) -> Option<Batch> {
        let batch = self.batches.pop_front()?;
        self.bytes -= batch.body.len();
        Some(batch)
    }
}

impl Queue {
    /// An empty queue of so many bytes; what it loses is counted there.
    pub(super) fn new(most_bytes: usize, delivery: Arc<Delivery>) -> Self {
        let waiting = Mutex::default();
        Self { waiting, more: Notify::new(), idle: Notify::new(), most_bytes, delivery }
    }

    /// Appends a batch; never waits.
    pub(super) fn push(&self, batch: Batch) {
        let mut waiting = self.lock();
        waiting.bytes += batch.body.len();
        waiting.batches.push_back(batch);
        while waiting.bytes > self.most_bytes
            && let Some(lost) = waiting.pop()
        {
            self.delivery.overflowed(lost.items);
        }
        drop(waiting);
        self.more.notify_one();
    }

    /// Takes the oldest batch; waits for one. Only one task may, and it has to say when it is done.
    pub(super) async fn pop(&self) -> Batch {
        loop {
            if let Some(batch) = self.take() {
                return batch;
            }
            self.more.notified().await;
        }
    }

    fn take(&self) -> Option<Batch> {
        let mut waiting = self.lock();
        let batch = waiting.pop()?;
        waiting.in_hand = Some(batch.items);
        Some(batch)
    }

    /// The batch that was taken out is dealt with.
    pub(super) fn done(&self) {
        self.lock().in_hand = None;
        self.idle.notify_one();
    }

    /// Waits until everything is dealt with. Only one task may.
    pub(super) async fn drained(&self) {
        while !self.is_idle() {
            self.idle.notified().await;
        }
    }

    fn is_idle(&self) -> bool {
        let waiting = self.lock();
        waiting.batches.is_empty() && waiting.in_hand.is_none()
    }

    /// Counts what is not dealt with as lost: nobody will send it any more.
    pub(super) fn give_up(&self) {
        let mut waiting = self.lock();
        let in_hand = waiting.in_hand.take();
        let rest = std::iter::from_fn(|| waiting.pop()).map(|lost| lost.items);
        self.delivery.overflowed(rest.chain(in_hand).sum());
    }

    /// Where losses are counted, and the rest.
    pub(super) fn delivery(&self) -> &Arc<Delivery> {
        &self.delivery
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(bytes: usize, items: u64) -> Batch {
        Batch { body: vec![0; bytes].into(), items }
    }

    #[tokio::test]
    async fn the_oldest_makes_room_and_is_counted() {
        let queue = Queue::new(10, Arc::default());
        for items in 1..=4 {
            queue.push(batch(4, items));
        }
        assert_eq!(queue.delivery().now().overflowed, 1 + 2);
        assert_eq!(queue.pop().await.items, 3);
        queue.done();
        assert_eq!(queue.pop().await.items, 4);
        queue.done();
        queue.drained().await;
    }

    #[tokio::test]
    async fn what_is_in_hand_at_the_end_is_lost_too() {
        let queue = Queue::new(10, Arc::default());
        queue.push(batch(4, 1));
        queue.push(batch(4, 2));
        queue.pop().await;
        queue.give_up();
        assert_eq!(queue.delivery().now().overflowed, 3);
    }

    #[test]
    fn what_never_fits_is_lost_at_once() {
        let queue = Queue::new(10, Arc::default());
        queue.push(batch(11, 7));
        assert_eq!(queue.delivery().now().overflowed, 7);
        queue.push(batch(10, 1));
        assert_eq!(queue.delivery().now().overflowed, 7);
        queue.give_up();
        assert_eq!(queue.delivery().now().overflowed, 8);
    }
}
