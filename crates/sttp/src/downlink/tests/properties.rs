use proptest::prelude::*;

use super::*;

/// What cannot differ by cuts and blocks: losses are told at the end of a chunk, and so merged differently.
fn comparable(received: Received) -> (Vec<Row>, Vec<Message>, Vec<MessageError>, u64) {
    let lost = received.losses().iter().map(|loss| loss.measurements.unwrap_or(0)).sum();
    let events = received.events.into_iter().filter(|message| !matches!(message.event, Event::Loss(_))).collect();
    (received.rows, events, received.errors, lost)
}

fn fed_in_pieces(options: DownlinkOptions, stream: &[u8], cuts: &[usize], capacity: u32) -> Received {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (stream.len() + 1)).collect();
    cuts.sort_unstable();
    cuts.push(stream.len());
    let mut downlink = Downlink::new(options);
    let (mut from, mut received) = (0, Received::default());
    for cut in cuts {
        if feed(&mut downlink, &stream[from..cut], capacity, &mut received) == Status::Lost {
            received.errors.extend(downlink.take_error());
            break;
        }
        from = cut;
    }
    received
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let value = prop_oneof![any::<f32>(), Just(0.0), Just(1.5)];
    let row = (0..50_i64, value, 0..6_u32, prop_oneof![Just(0_u32), any::<u32>()]);
    proptest::collection::vec(
        row.prop_map(|(n, value, signal, flags)| (T0 + n * 100, f64::from(value).to_bits(), signal, flags)),
        0..120,
    )
}

proptest! {
    #[test]
    fn cuts_and_blocks_change_nothing(
        batches in proptest::collection::vec(rows(), 1..6),
        tssc in any::<bool>(),
        report_packets in any::<bool>(),
        flip in 0..6_usize,
        damage in proptest::option::of((any::<usize>(), any::<u8>())),
        cuts in proptest::collection::vec(any::<usize>(), 0..12),
        capacity in 1..40_u32,
    ) {
        let modes = if tssc { OperationalModes::COMPRESSED } else { OperationalModes::COMPACT };
        let (mut encoder, mut wire) = publisher(modes, 6);
        for (place, batch) in batches.iter().enumerate() {
            if place == flip {
                encoder.update_cache(cache(6), (0..6).collect(), &mut wire);
                encoder.confirm_cache(&mut wire);
            }
            send(&mut encoder, batch, &mut wire);
        }
        let length = wire.len();
        if let Some((at, byte)) = damage {
            wire[at % length] ^= byte;
        }
        let options = DownlinkOptions { modes, report_packets, ..DownlinkOptions::default() };
        let whole = fed_in_pieces(options, &wire, &[], 4096);
        if damage.is_none() {
            let sent: Vec<Row> = batches.concat();
            let flags = |flags| if tssc { flags } else { crate::state_flags::from_compact(crate::state_flags::to_compact(flags)) };
            let sent: Vec<Row> = sent.into_iter().map(|row| (row.0, row.1, row.2, flags(row.3))).collect();
            prop_assert_eq!(&whole.rows, &sent);
            prop_assert_eq!(&whole.errors, &[]);
        }
        let pieces = fed_in_pieces(options, &wire, &cuts, capacity);
        let (mut whole, mut pieces) = (comparable(whole), comparable(pieces));
        // Where framing is lost, the bytes that had come depend on the chunks.
        for errors in [&mut whole.2, &mut pieces.2] {
            if let Some(error) = errors.last_mut().filter(|error| matches!(error.error, PacketError::Frame(_))) {
                error.length = 0;
            }
        }
        prop_assert_eq!(pieces, whole);
    }

    #[test]
    fn arbitrary_bytes_never_panic(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..80), 0..8),
        framed in any::<bool>(),
    ) {
        let mut downlink = downlink(OperationalModes::COMPRESSED);
        let mut received = Received::default();
        for chunk in chunks {
            let mut wire = Vec::new();
            if framed {
                write_response(ResponseCode(0x80 | chunk.first().unwrap_or(&2) & 15), CommandCode(2), &mut wire, |out| out.extend_from_slice(&chunk));
            } else {
                wire = chunk;
            }
            if feed(&mut downlink, &wire, 5, &mut received) == Status::Lost {
                break;
            }
        }
    }
}
