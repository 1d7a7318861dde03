//! Sends what waits, again and again until it is taken or refused.

use std::sync::Arc;
use std::time::Duration;

use backon::{BackoffBuilder as _, ExponentialBuilder};
use tokio::time::sleep;

use super::delivery::Delivery;
use super::queue::{Batch, Queue};
use super::transport::{Answer, Transport};

/// The first pause before another attempt, and the longest.
const PAUSES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(60)];

/// Sends what comes into the queue, in its order; never ends.
pub(super) async fn deliver(queue: Arc<Queue>, transport: Transport) {
    loop {
        let batch = queue.pop().await;
        send(&queue, &transport, &batch).await;
        queue.done();
    }
}

async fn send(queue: &Queue, to: &Transport, batch: &Batch) {
    let delivery = queue.delivery();
    let [first, longest] = PAUSES;
    let pauses = ExponentialBuilder::default().with_min_delay(first).with_max_delay(longest);
    let mut pauses = pauses.with_jitter().without_max_times().build();
    loop {
        match to.send(batch.body.clone()).await {
            Answer::Taken { rejected: 0, .. } => {
                if delivery.trouble().is_some() {
                    tracing::info!("OTLP: {to} takes all again");
                }
                delivery.note(None);
                return delivery.sent(batch.items);
            }
            Answer::Taken { rejected, why } => {
                let rejected = rejected.min(batch.items);
                tell(delivery, format!("OTLP: {to} refuses {rejected} items: {why}"));
                delivery.rejected(rejected);
                return delivery.sent(batch.items - rejected);
            }
            Answer::Refused(why) => {
                tell(delivery, format!("OTLP: {to} refuses {} items: {why}", batch.items));
                return delivery.rejected(batch.items);
            }
            Answer::Later(wanted, why) => {
                tell(delivery, format!("OTLP: {to} takes nothing now, trying again: {why}"));
                let pause = pauses.next().unwrap_or(longest);
                // Whoever asks for more than that is asked sooner.
                sleep(wanted.map_or(pause, |wanted| wanted.clamp(pause, 5 * longest))).await;
                delivery.retried();
            }
        }
    }
}

/// Says in the log what goes wrong, once and not each time.
fn tell(delivery: &Delivery, trouble: String) {
    if delivery.trouble().is_none() {
        tracing::warn!("{trouble}");
    }
    delivery.note(Some(trouble));
}
