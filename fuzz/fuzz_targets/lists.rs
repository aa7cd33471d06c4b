//! Lists of the runtime API, decoded and applied to the state.

#![no_main]

use ems_exporter::model::{Settings, output, session, stream, timer};
use ems_protocol::Timestamp;
use ems_exporter::model::state::State;
use ems_exporter::model::state::listing::{Listed, Listing};
use ems_protocol::decode::json::Part;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let answer = Part::of(bytes);
    let Ok(Some(data)) = answer.member("data") else { return };
    for (family, items) in data.members().unwrap_or_default() {
        for item in items.items().unwrap_or_default() {
            let _read = item.message().and_then(|message| output::listed(family, &message));
        }
    }
    let items = data.items().unwrap_or_default();
    let mut listing = Listing { requested: Timestamp::from_seconds(1_795_364_100), ..Listing::default() };
    let (mut timers, mut sessions) = (Vec::new(), Vec::new());
    for item in items {
        let Ok(message) = item.message() else { continue };
        if let Ok(stream) = stream::listed(&message) {
            let output = output::of_stream(&message).ok().flatten();
            listing.streams.push(Listed { item, stream, output });
        }
        timers.extend(timer::listed(&message));
        sessions.extend(session::listed(&message));
    }
    (listing.timers, listing.sessions) = (Some(timers), Some(sessions));
    let mut state = State::new(&Settings::default());
    for seconds in [0, 3, 6] {
        listing.requested = Timestamp::from_seconds(1_795_364_100 + seconds);
        state.reconcile(&listing, listing.requested);
    }
    assert!(state.streams.count(|_, _| true) <= listing.streams.len());
    // Things that are no longer listed are removed.
    let nothing = |seconds| Listing { requested: Timestamp::from_seconds(1_795_364_100 + seconds), ..Listing::default() };
    for seconds in [9, 12] {
        state.reconcile(&nothing(seconds), Timestamp::from_seconds(1_795_364_100 + seconds));
    }
    assert_eq!(state.streams.count(|_, _| true), 0);
});
