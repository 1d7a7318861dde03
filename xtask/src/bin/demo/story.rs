//! What happened, in plain words, with numbers from queue-trace's events and from the clients.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::client::Visit;

/// Tells the story; an error if queue-trace did not see what has to be seen.
pub(crate) fn tell(events: &[Value], visits: &[Visit], backlog: i32) -> Result<String> {
    let of = |name: &'static str| events.iter().filter(move |event| event["event"] == name);
    let number = |event: &Value, field: &str| event[field].as_u64().unwrap_or_default();
    let time = |event: &Value| event["time"].as_str().and_then(|text| text.parse::<f64>().ok());

    let limit =
        of("established").map(|event| number(event, "limit")).max().context("nobody got in")?;
    let peak = events.iter().map(|event| number(event, "accept_depth")).max().unwrap_or_default();
    let (syns, acks) = (of("syn_refused").count(), of("ack_refused").count());
    let refused: BTreeSet<_> = of("syn_refused")
        .chain(of("ack_refused"))
        .map(|event| number(event, "client_port"))
        .collect();
    ensure!(!refused.is_empty(), "queue-trace saw no refusal");
    let resent = of("synack_retransmit").count();
    let waits = || of("accept").map(|event| Duration::from_nanos(number(event, "wait_ns")));
    let longest = waits().max().context("queue-trace saw no accept")?;
    let full_from =
        events.iter().find(|event| number(event, "accept_depth") > limit).and_then(time);
    let full_to = of("accept").next().and_then(time);
    let full = full_from.zip(full_to).map(|(from, to)| to - from).context("never full")?;
    let slowest = visits.iter().map(|visit| visit.took).max().unwrap_or_default();
    let clients = visits.len();

    Ok(format!(
        "What happened: {clients} clients came while nobody called accept(). listen({backlog}) gave the accept\n\
         queue a limit of {limit}, and Linux lets one more in: {peak} connections waited, then the queue was\n\
         full for {full:.1} s. In that time Linux refused {syns} SYNs and {acks} final ACKs of {} clients. It told\n\
         none of them: they had to try again and again ({resent} SYN-ACKs were resent), and the unluckiest\n\
         was served {:.1} s after it first knocked. Whoever was in the queue waited up to {:.1} s for accept().\n\
         \n\
         What would help: call accept() sooner, that alone emptied the queue here. To ride out a stall\n\
         like this one, listen({}): then all {clients} clients fit, since one more than the limit does.",
        refused.len(),
        slowest.as_secs_f64(),
        longest.as_secs_f64(),
        clients - 1,
    ))
}
