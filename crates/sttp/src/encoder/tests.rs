use uuid::Uuid;

use super::*;
use crate::{CacheRecord, Envelope};

const ROWS: MeasurementRows<'static> =
    MeasurementRows { time: &[0, 100], raw_time: &[], value: &[1.0, 2.0], signal: &[3, 4], flags: &[0, 0] };

fn cache(index: i32) -> SignalIndexCache {
    let record = CacheRecord { index, signal_id: Uuid::nil(), source: String::new(), key_id: 0 };
    SignalIndexCache { records: vec![record], ..SignalIndexCache::default() }
}

fn encoder(modes: OperationalModes) -> Encoder {
    Encoder::new(EncoderOptions::new(modes, &Subscription::default()))
}

/// Appends what the encoder makes of rows.
fn append(encoder: &mut Encoder, rows: &MeasurementRows<'_>, wire: &mut Vec<u8>) -> tssc::Encoded {
    let mut out = vec![0; 100_000];
    let sent = encoder.encode(rows, &mut out);
    wire.extend_from_slice(&out[..sent.bytes]);
    sent
}

/// The code of each frame, and of a cache its index, of a data packet its flags.
fn frames(mut wire: &[u8]) -> Vec<(u8, u8)> {
    let mut frames = Vec::new();
    while let Some((length, rest)) = wire.split_first_chunk() {
        let (body, rest) = rest.split_at(u32::from_be_bytes(*length) as usize);
        let envelope = Envelope::parse(body).unwrap();
        assert!(envelope.exact_length);
        frames.push((envelope.code.0, envelope.payload.first().copied().unwrap_or(0)));
        wire = rest;
    }
    frames
}

#[test]
fn measurements_wait_for_the_confirmation_and_the_newest_cache_follows() {
    let mut encoder = encoder(OperationalModes::COMPRESSED);
    let mut wire = Vec::new();
    assert_eq!(append(&mut encoder, &ROWS, &mut wire).rows, 0);
    encoder.update_cache(cache(0), vec![3], &mut wire);
    encoder.update_cache(cache(1), vec![3], &mut wire);
    encoder.update_cache(cache(2), vec![4], &mut wire);
    assert!(!encoder.is_ready() && encoder.awaits_confirmation());
    assert_eq!(frames(&wire), [(0x83, 0)]);
    wire.clear();
    assert!(encoder.confirm_cache(&mut wire));
    assert_eq!(append(&mut encoder, &ROWS, &mut wire).rows, 2);
    assert!(encoder.confirm_cache(&mut wire));
    assert_eq!(append(&mut encoder, &ROWS, &mut wire).rows, 2);
    assert_eq!(frames(&wire), [(0x83, 1), (0x82, 0x08), (0x82, 0x18)]);
    assert!(!encoder.confirm_cache(&mut wire));
    assert_eq!(encoder.cache_index(), Some(1));
}

#[test]
fn version_1_switches_at_once() {
    let mut encoder = encoder(OperationalModes(0xE000_0261));
    let mut wire = Vec::new();
    encoder.update_cache(cache(0), vec![3], &mut wire);
    assert_eq!(append(&mut encoder, &ROWS, &mut wire).rows, 2);
    encoder.update_cache(cache(0), vec![3], &mut wire);
    let last = wire.len();
    assert_eq!(append(&mut encoder, &ROWS, &mut wire).rows, 2);
    assert_eq!(frames(&wire), [(0x83, 0x1F), (0x82, 8), (0x83, 0x1F), (0x82, 8)]);
    assert_eq!(wire[last + 15..last + 18], [tssc::VERSION, 0, 0]);
    assert!(!encoder.confirm_cache(&mut wire));
}

#[test]
fn rows_of_other_signals_are_taken_and_not_written() {
    for modes in [OperationalModes::COMPRESSED, OperationalModes::COMPACT] {
        let mut encoder = encoder(modes);
        let mut wire = Vec::new();
        encoder.update_cache(cache(0), vec![9], &mut wire);
        encoder.confirm_cache(&mut wire);
        wire.clear();
        assert_eq!(append(&mut encoder, &ROWS, &mut wire).rows, 2);
        assert!(wire.is_empty());
    }
}

#[test]
fn frames_stay_within_their_room_and_the_protocols_limit() {
    for modes in [OperationalModes::COMPRESSED, OperationalModes::COMPACT] {
        let count = 100_000;
        let time: Vec<i64> = (0..count).map(|n| n * 7_919_700).collect();
        let value: Vec<f64> = (0..count).map(|n| f64::from((n as f32).sin())).collect();
        let (signal, flags) = (vec![3; count as usize], vec![0; count as usize]);
        let rows = MeasurementRows { time: &time, raw_time: &[], value: &value, signal: &signal, flags: &flags };
        let mut encoder = encoder(modes);
        let mut wire = Vec::new();
        encoder.update_cache(cache(0), vec![3], &mut wire);
        encoder.confirm_cache(&mut wire);
        let (mut taken, mut packets) = (0, 0);
        while taken < rows.len() {
            wire.clear();
            let more = append(&mut encoder, &rows.from(taken), &mut wire).rows;
            assert!(more > 0 && wire.len() <= 100_000);
            packets += frames(&wire).len();
            taken += more;
        }
        assert_eq!(taken, rows.len());
        assert!(packets > 10);
        let mut short = vec![0; Encoder::MAX_FRAME_BYTES - 1];
        assert_eq!(encoder.encode(&rows, &mut short), tssc::Encoded::default());
    }
}

#[test]
fn nan_values_are_left_out_where_asked() {
    for modes in [OperationalModes::COMPRESSED, OperationalModes(0xC000_0222)] {
        let subscription = Subscription { request_nan_value_filter: true, ..Subscription::default() };
        let mut encoder = Encoder::new(EncoderOptions::new(modes, &subscription));
        encoder.use_cache(0, [(3, 0), (4, 1)].into_iter().collect());
        let rows = MeasurementRows { value: &[f64::NAN, 2.0], ..ROWS };
        let mut wire = Vec::new();
        let sent = append(&mut encoder, &rows, &mut wire);
        assert_eq!((sent.rows, sent.measurements), (2, 1));
        wire.clear();
        let rows = MeasurementRows { value: &[f64::NAN; 2], ..ROWS };
        let sent = append(&mut encoder, &rows, &mut wire);
        assert_eq!((sent.rows, sent.measurements, wire.len()), (2, 0, 0));
        assert_eq!(encoder.filtered(), 3);
    }
}

#[test]
fn base_times_are_sent_before_the_first_measurements_and_move_on() {
    let mut encoder = encoder(OperationalModes(0xC000_0222));
    encoder.use_cache(0, [(3, 0)].into_iter().collect());
    let mut wire = Vec::new();
    let now = 638_000_000_000_000_000;
    assert!(encoder.rotate_base_times(now, &mut wire));
    assert!(!encoder.rotate_base_times(now + 1, &mut wire));
    assert_eq!(frames(&wire), [(0x84, 0)]);
    let time = [ticks::to_ns(now).0];
    let rows = MeasurementRows { time: &time, value: &[1.0], signal: &[3], flags: &[0], raw_time: &[] };
    wire.clear();
    append(&mut encoder, &rows, &mut wire);
    assert_eq!(wire.len(), 4 + 6 + 5 + 13);
    assert!(encoder.rotate_base_times(now + BaseTimes::interval(false), &mut wire));
    assert_eq!(encoder.base_times().time_index, 1);
    // Neither TSSC nor measurements without a time have them.
    assert!(!self::encoder(OperationalModes::COMPRESSED).rotate_base_times(now, &mut wire));
    let subscription = Subscription { include_time: false, ..Subscription::default() };
    let options = EncoderOptions::new(OperationalModes(0xC000_0222), &subscription);
    assert!(!Encoder::new(options).rotate_base_times(now, &mut wire));
}
