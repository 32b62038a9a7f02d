//! What holds for any bytes and any values.

use measurand_cdtp::{
    Anomaly, AnomalyKind, Beacon, Control, EncodeError, Heartbeat, HeartbeatFlags, Indexer, Limits, MessageIndex,
    MessageType, Monitoring, MonitoringBody, NewRecord, Outcome, Profile, RunCondition, SequenceAccount, Timestamp,
    Value, Verb, encode_message, record_times,
};
use proptest::collection::vec;
use proptest::prelude::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<bool>().prop_map(Value::Boolean),
        any::<i64>().prop_map(Value::Integer),
        any::<u64>().prop_map(Value::from),
        (-1e300..1e300_f64).prop_map(Value::Float),
        ".{0,40}".prop_map(Value::String),
        vec(any::<u8>(), 0..300).prop_map(Value::Binary),
        (any::<i64>(), 0..1_000_000_000_u32)
            .prop_map(|(seconds, nanoseconds)| Value::Timestamp(Timestamp { seconds, nanoseconds })),
        (0..127_i8, vec(any::<u8>(), 0..40)).prop_map(|(kind, data)| Value::Extension(kind, data)),
    ];
    leaf.prop_recursive(4, 64, 20, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..20).prop_map(Value::Array),
            vec((".{0,8}", inner), 0..20).prop_map(Value::Map)
        ]
    })
}

#[derive(Clone, Debug)]
struct Record {
    sequence: u64,
    tags: Vec<u8>,
    blocks: Vec<Vec<u8>>,
}

fn record() -> impl Strategy<Value = Record> {
    (any::<u64>(), vec((".{0,8}", value()), 0..5), vec(vec(any::<u8>(), 0..300), 0..5)).prop_map(
        |(sequence, tags, blocks)| {
            let mut out = Vec::new();
            Value::Map(tags).encode(Profile::Full, &mut out).unwrap();
            Record { sequence, tags: out, blocks }
        },
    )
}

fn message(records: &[Record]) -> Vec<u8> {
    let blocks: Vec<Vec<&[u8]>> = records.iter().map(|r| r.blocks.iter().map(Vec::as_slice).collect()).collect();
    let records: Vec<NewRecord<'_>> = records
        .iter()
        .zip(&blocks)
        .map(|(r, blocks)| NewRecord { sequence: r.sequence, tags: &r.tags, blocks })
        .collect();
    encode_message("Type.Name", MessageType::Data, &records).unwrap()
}

/// Indexes a message with so much room, as often as it takes.
fn read(message: &[u8], records: u32, blocks: u32) -> Option<Vec<Record>> {
    let mut memory = vec![0_u64; MessageIndex::byte_length(records, blocks).div_ceil(8)];
    let memory: &mut [u8] = bytemuck::cast_slice_mut(&mut memory);
    MessageIndex::format(memory, records, blocks).unwrap();
    let mut indexer = Indexer::new(Limits::default());
    let mut found = Vec::new();
    loop {
        let mut index = MessageIndex::open(memory).unwrap();
        let outcome = indexer.index(message, &mut index).ok()?;
        let span = |offset: u32, length: u32| message[offset as usize..][..length as usize].to_vec();
        found.extend((0..index.records()).map(|r| Record {
            sequence: index.sequence[r],
            tags: span(index.tags_offset[r], index.tags_length[r]),
            blocks: index.blocks_of(r).map(|b| span(index.block_offset[b], index.block_length[b])).collect(),
        }));
        let consecutive = index.sequences().windows(2).all(|w| w[0].wrapping_add(1) == w[1]);
        assert_eq!(index.is_consecutive(), consecutive || index.records() == 0);
        if outcome == Outcome::Done {
            return Some(found);
        }
        assert!(index.records() > 0, "a full index has a record");
    }
}

fn same(a: &[Record], b: &[Record]) -> bool {
    a.len() == b.len()
        && a.iter().zip(b).all(|(a, b)| a.sequence == b.sequence && a.tags == b.tags && a.blocks == b.blocks)
}

proptest! {
    #[test]
    fn a_value_comes_back(value in value()) {
        let mut out = Vec::new();
        value.encode(Profile::Full, &mut out).unwrap();
        prop_assert_eq!(Value::decode(&out, Limits::default()).unwrap(), (value, out.len()));
    }

    #[test]
    fn a_value_cut_short_is_refused(value in value(), cut in any::<prop::sample::Index>()) {
        let mut out = Vec::new();
        value.encode(Profile::Full, &mut out).unwrap();
        prop_assert!(Value::decode(&out[..cut.index(out.len())], Limits::default()).is_err());
    }

    #[test]
    fn any_bytes_are_a_value_or_an_error(bytes in vec(any::<u8>(), 0..400)) {
        if let Ok((_, used)) = Value::decode(&bytes, Limits::default()) {
            prop_assert!(used <= bytes.len());
        }
    }

    #[test]
    fn records_come_back_whatever_the_room(records in vec(record(), 0..12), room in 1..16_u32) {
        let bytes = message(&records);
        prop_assert!(same(&read(&bytes, room, room.max(4)).unwrap(), &records));
    }

    #[test]
    fn a_message_cut_short_gives_no_record(records in vec(record(), 1..6), cut in any::<prop::sample::Index>(), room in 1..8_u32) {
        let bytes = message(&records);
        prop_assert!(read(&bytes[..cut.index(bytes.len())], room, 4).is_none());
    }

    #[test]
    fn a_changed_byte_never_panics(records in vec(record(), 1..4), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = message(&records);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        let _ = read(&bytes, 3, 4);
        let _ = record_times(&bytes, Limits::default());
    }

    #[test]
    fn any_bytes_as_frames_never_panic(a in vec(any::<u8>(), 0..80), b in vec(any::<u8>(), 0..80), c in vec(any::<u8>(), 0..80)) {
        let frames: [&[u8]; 3] = [&a, &b, &c];
        for used in 0..=3 {
            let _ = Heartbeat::decode(&frames[..used]);
            let _ = Control::decode(&frames[..used], Limits::default());
            let _ = Monitoring::decode(&frames[..used], Limits::default());
        }
        let _ = Beacon::decode(&a);
        let _ = read(&a, 3, 4);
    }

    #[test]
    fn control_comes_back(sender in ".{0,20}", seconds in any::<i64>(), text in ".{0,20}", number in 0..7_u64, payload in proptest::option::of(value())) {
        let control = Control {
            sender, time: Timestamp { seconds, nanoseconds: 5 }, tags: vec![("a".into(), Value::Nil)],
            verb: Verb::from_wire(number).unwrap(), text, payload,
        };
        let frames = control.encode(Profile::Full).unwrap();
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(Control::decode(&frames, Limits::default()).unwrap(), control);
    }

    #[test]
    fn heartbeats_come_back(sender in ".{0,20}", state in any::<u8>(), flags in any::<u8>(), interval_ms in any::<u16>(), status in proptest::option::of(".{0,20}")) {
        let heartbeat = Heartbeat { sender, time: Timestamp::from_ns(7), state, flags: HeartbeatFlags(flags), interval_ms, status };
        let frames = heartbeat.encode().unwrap();
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(Heartbeat::decode(&frames).unwrap(), heartbeat);
    }

    #[test]
    fn metrics_come_back(sender in ".{0,20}", name in "[A-Z_]{1,10}", value in value(), unit in ".{0,4}") {
        let body = MonitoringBody::Metric { name, value, kind: 0, unit };
        let monitoring = Monitoring { sender, time: Timestamp::from_ns(-7), tags: vec![], body };
        let frames = monitoring.encode(Profile::Full).unwrap();
        let frames: Vec<&[u8]> = frames.iter().map(Vec::as_slice).collect();
        prop_assert_eq!(Monitoring::decode(&frames, Limits::default()).unwrap(), monitoring);
    }

    /// Against the plainest account there is: a set of the numbers seen.
    #[test]
    fn the_account_agrees_with_a_set(numbers in vec(0..60_u64, 0..120), last in 0..80_u64) {
        let mut account = SequenceAccount::new();
        let mut seen = std::collections::BTreeSet::new();
        let mut duplicates = 0;
        for number in &numbers {
            duplicates += u64::from(*number == 0 || !seen.insert(*number));
            account.observe(*number);
        }
        account.close(last);
        let highest = seen.last().copied().unwrap_or(0).max(last);
        prop_assert_eq!(account.highest(), highest);
        prop_assert_eq!(account.duplicates(), duplicates);
        prop_assert_eq!(account.missing(), highest - seen.len() as u64);
        // The anomalies tell the same: gaps less what came late.
        let mut missing = std::collections::BTreeSet::new();
        while let Some(Anomaly { kind, first, last }) = account.take_anomaly() {
            for number in first..=last {
                match kind {
                    AnomalyKind::Gap => prop_assert!(missing.insert(number)),
                    AnomalyKind::Late => prop_assert!(missing.remove(&number)),
                    AnomalyKind::Duplicate => duplicates -= 1,
                }
            }
        }
        prop_assert_eq!(duplicates, 0);
        prop_assert_eq!(missing, (1..=highest).filter(|n| !seen.contains(n)).collect());
    }

    #[test]
    fn a_range_is_its_numbers(ranges in vec((0..40_u64, 0..10_u64), 0..20)) {
        let (mut whole, mut single) = (SequenceAccount::new(), SequenceAccount::new());
        for (first, count) in ranges {
            whole.observe_range(first, count);
            (first..first + count).for_each(|number| single.observe(number));
        }
        prop_assert_eq!((whole.highest(), whole.missing(), whole.duplicates(), whole.received()),
            (single.highest(), single.missing(), single.duplicates(), single.received()));
        loop {
            let (a, b) = (whole.take_anomaly(), single.take_anomaly());
            prop_assert_eq!(a, b);
            if a.is_none() { break }
        }
    }
}

#[test]
fn an_account_ends_at_the_last_number() {
    let mut account = SequenceAccount::new();
    account.observe(u64::MAX);
    account.observe_range(u64::MAX, 3);
    account.close(u64::MAX);
    assert_eq!((account.highest(), account.missing()), (u64::MAX, u64::MAX - 1));
    let mut empty = SequenceAccount::new();
    empty.close(u64::MAX);
    assert_eq!(empty.take_anomaly(), Some(Anomaly { kind: AnomalyKind::Gap, first: 1, last: u64::MAX }));
}

#[test]
fn the_order_that_python_calls_good_is_not() {
    let mut account = SequenceAccount::new();
    for number in [1, 1, 2, 4, 4] {
        account.observe(number);
    }
    assert_eq!((account.missing(), account.duplicates()), (1, 2));
}

#[test]
fn conditions_have_the_frameworks_names() {
    for (bits, name) in [
        (0, "GOOD"),
        (3, "TAINTED|INCOMPLETE"),
        (10, "INCOMPLETE|ABORTED"),
        (0x15, "TAINTED|INTERRUPTED|DEGRADED"),
        (33, "TAINTED|32"),
    ] {
        assert_eq!(RunCondition(bits).to_string(), name);
    }
}

#[test]
fn portable_writes_what_the_cpp_framework_reads() {
    let encode = |value: &Value| {
        let mut out = Vec::new();
        value.encode(Profile::Portable, &mut out).map(|()| out)
    };
    let numbers = Value::Array(vec![Value::Integer(1), Value::Float(2.5)]);
    let floats = Value::Array(vec![Value::Float(1.0), Value::Float(2.5)]);
    assert_eq!(encode(&numbers), encode(&floats));
    assert_eq!(encode(&Value::Array(vec![Value::Integer(1), Value::String("x".into())])), Err(EncodeError::ArrayMixed));
    assert_eq!(
        encode(&Value::Array(vec![Value::Integer((1 << 53) + 1), Value::Float(0.5)])),
        Err(EncodeError::ArrayMixed)
    );
    assert_eq!(encode(&Value::Array(vec![Value::Map(vec![])])), Err(EncodeError::ArrayNested));
    assert_eq!(encode(&Value::Binary(vec![1])), Err(EncodeError::Binary));
    assert_eq!(encode(&Value::Unsigned(1 << 63)), Err(EncodeError::Integer(1 << 63)));
    assert_eq!(encode(&Value::Extension(5, vec![])), Err(EncodeError::Extension(5)));
    assert_eq!(encode(&Value::Float(5.0)), Ok(vec![0xcb, 0x40, 0x14, 0, 0, 0, 0, 0, 0]));
}

#[test]
fn values_nested_too_deep_are_refused() {
    let deep = |levels: usize| [vec![0x91; levels], vec![0xc0]].concat();
    assert!(Value::decode(&deep(32), Limits::default()).is_ok());
    assert!(Value::decode(&deep(33), Limits::default()).is_err());
    assert!(Value::decode(&deep(100_000), Limits::default()).is_err());
}

#[test]
fn times_are_read_from_tags() {
    let map = |entries: Vec<(&str, Value)>| {
        let mut out = Vec::new();
        Value::Map(entries.into_iter().map(|(k, v)| (k.to_owned(), v)).collect())
            .encode(Profile::Full, &mut out)
            .unwrap();
        record_times(&out, Limits::default()).unwrap()
    };
    let times = map(vec![
        ("x", Value::Array(vec![Value::Nil])),
        ("timestamp_begin", Value::Integer(2000)),
        ("timestamp_end", Value::Unsigned(u64::MAX)),
    ]);
    assert_eq!((times.time, times.begin_ps, times.end_ps), (None, Some(2000), Some(u64::MAX)));
    let times = map(vec![("timestamp", Value::Timestamp(Timestamp::from_ns(-1)))]);
    assert_eq!((times.time, times.begin_ps), (Some(-1), None));
}
