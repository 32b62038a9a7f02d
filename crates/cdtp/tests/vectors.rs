//! Every frame captured from constellationdaq 1.0.2, decoded, compared with its description and encoded again.

use std::fs;
use std::path::{Path, PathBuf};

use measurand_cdtp::{
    Beacon, Control, Fault, Heartbeat, Indexer, Limits, MessageIndex, MessageType, Monitoring, MonitoringBody,
    NewRecord, Profile, SatelliteState, Timestamp, Value, encode_message,
};
use serde_json::{Value as Json, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../__test__/vectors/cdtp")
}

/// The cases whose names begin so, with their descriptions.
fn cases(prefix: &str) -> Vec<(String, Json)> {
    let mut found: Vec<_> = fs::read_dir(folder())
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
        .filter(|name| name.starts_with(prefix))
        .map(|name| (name.clone(), serde_json::from_slice(&fs::read(folder().join(name + ".json")).unwrap()).unwrap()))
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(!found.is_empty(), "no case {prefix}");
    found
}

fn frame(name: &str) -> Vec<u8> {
    fs::read(folder().join(format!("{name}.bin"))).unwrap()
}

fn frames(name: &str, description: &Json) -> Vec<Vec<u8>> {
    (0..description["frames"].as_u64().unwrap()).map(|n| frame(&format!("{name}.frame{n}"))).collect()
}

fn slices(frames: &[Vec<u8>]) -> Vec<&[u8]> {
    frames.iter().map(Vec::as_slice).collect()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Days since 1970-01-01 to year, month, day.
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let doe = z.rem_euclid(146_097);
    let yoe = (doe - doe / 1460 + doe / 36_524 - doe / 146_096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let month = if mp < 10 { mp + 3 } else { mp - 9 };
    (yoe + era * 400 + i64::from(month <= 2), month, doy - (153 * mp + 2) / 5 + 1)
}

fn iso(t: Timestamp) -> String {
    let (year, month, day) = civil(t.seconds.div_euclid(86_400));
    let second = t.seconds.rem_euclid(86_400);
    let (h, m, s) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}.{:06}Z", t.nanoseconds / 1000)
}

fn exact(t: Timestamp) -> Json {
    json!({ "$time_s_ns": [t.seconds, t.nanoseconds] })
}

fn to_json(value: &Value, time: fn(Timestamp) -> Json) -> Json {
    let is_big = |magnitude: u64| magnitude > 1 << 53;
    match value {
        Value::Nil => Json::Null,
        Value::Boolean(b) => json!(b),
        Value::Integer(i) if is_big(i.unsigned_abs()) => json!({ "$int": i.to_string() }),
        Value::Integer(i) => json!(i),
        Value::Unsigned(u) => json!({ "$int": u.to_string() }),
        Value::Float(f) => json!(f),
        Value::String(s) => json!(s),
        Value::Binary(b) => json!({ "$bin": hex(b) }),
        Value::Array(items) => items.iter().map(|item| to_json(item, time)).collect(),
        Value::Map(entries) => map_json(entries, time),
        Value::Timestamp(t) => time(*t),
        Value::Extension(kind, data) => json!({ "$ext": [kind, hex(data)] }),
    }
}

fn map_json(entries: &[(String, Value)], time: fn(Timestamp) -> Json) -> Json {
    entries.iter().map(|(key, value)| (key.clone(), to_json(value, time))).collect::<serde_json::Map<_, _>>().into()
}

/// Indexes a message and describes it as the vectors do.
fn describe(message: &[u8]) -> Result<Json, Fault> {
    let mut bytes = vec![0_u64; 1 << 12];
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut bytes);
    MessageIndex::format(bytes, 256, 256).unwrap();
    let mut index = MessageIndex::open(bytes).unwrap();
    Indexer::new(Limits::default()).index(message, &mut index).map_err(|malformed| malformed.fault)?;
    let tags = |r: usize| &message[index.tags_offset[r] as usize..][..index.tags_length[r] as usize];
    let time: fn(Timestamp) -> Json = |t| json!({ "$time": iso(t) });
    let records: Vec<Json> = (0..index.records())
        .map(|r| {
            let (value, used) = Value::decode(tags(r), Limits::default()).unwrap();
            assert_eq!(used, tags(r).len());
            let blocks: Vec<Json> = index
                .blocks_of(r)
                .map(|b| json!({ "$bin": hex(&message[index.block_offset[b] as usize..][..index.block_length[b] as usize]) }))
                .collect();
            let sequence = index.sequence[r];
            let sequence = if sequence > 1 << 53 { json!({ "$int": sequence.to_string() }) } else { json!(sequence) };
            json!({ "seq": sequence, "tags": to_json(&value, time), "blocks": blocks })
        })
        .collect();
    Ok(json!({ "sender": sender(message, &index), "type": kind_name(&index), "records": records }))
}

fn sender(message: &[u8], index: &MessageIndex<'_>) -> String {
    let (offset, length) = index.sender();
    std::str::from_utf8(&message[offset as usize..][..length as usize]).unwrap().to_owned()
}

fn kind_name(index: &MessageIndex<'_>) -> &'static str {
    match index.kind() {
        MessageType::Data => "DATA",
        MessageType::BeginOfRun => "BOR",
        MessageType::EndOfRun => "EOR",
    }
}

#[test]
fn every_data_message_is_decoded_as_python_decodes_it() {
    let mut count = 0;
    for (name, description) in cases("cdtp2-").into_iter().filter(|(name, _)| !name.contains("-bad-")) {
        let found = describe(&frame(&name)).unwrap();
        for key in ["sender", "type"] {
            assert_eq!(found[key], description[key], "{name} {key}");
        }
        let expected: Vec<&Json> = description["records"].as_array().unwrap().iter().collect();
        let records = found["records"].as_array().unwrap();
        assert_eq!(records.len(), expected.len(), "{name}");
        for (record, expected) in records.iter().zip(expected) {
            assert_eq!(record["seq"], expected["seq"], "{name}");
            assert_eq!(record["tags"], expected["tags"], "{name}");
            // Long blocks are described by their length and digest alone.
            for (block, expected) in
                record["blocks"].as_array().unwrap().iter().zip(expected["blocks"].as_array().unwrap())
            {
                match expected.get("$bin") {
                    Some(_) => assert_eq!(block, expected, "{name}"),
                    None => panic!("{name}: a block described as {expected}"),
                }
            }
        }
        count += 1;
    }
    assert_eq!(count, 12);
}

#[test]
fn every_data_message_is_encoded_byte_for_byte() {
    for (name, _) in cases("cdtp2-").into_iter().filter(|(name, _)| !name.contains("-bad-")) {
        let message = frame(&name);
        let mut bytes = vec![0_u64; 1 << 12];
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(&mut bytes);
        MessageIndex::format(bytes, 256, 256).unwrap();
        let mut index = MessageIndex::open(bytes).unwrap();
        Indexer::new(Limits::default()).index(&message, &mut index).unwrap();
        let span = |offset: u32, length: u32| &message[offset as usize..][..length as usize];
        let blocks: Vec<Vec<&[u8]>> = (0..index.records())
            .map(|r| index.blocks_of(r).map(|b| span(index.block_offset[b], index.block_length[b])).collect())
            .collect();
        let tags: Vec<Vec<u8>> = (0..index.records())
            .map(|r| {
                let mut out = Vec::new();
                let tags =
                    Value::decode(span(index.tags_offset[r], index.tags_length[r]), Limits::default()).unwrap().0;
                tags.encode(Profile::Full, &mut out).unwrap();
                out
            })
            .collect();
        let records: Vec<NewRecord<'_>> = (0..index.records())
            .map(|r| NewRecord { sequence: index.sequence[r], tags: &tags[r], blocks: &blocks[r] })
            .collect();
        let encoded = encode_message(&sender(&message, &index), index.kind(), &records).unwrap();
        if name == "cdtp2-tag-types" {
            // This capture was packed by hand: one string has a longer header than it needs.
            assert_eq!(describe(&encoded), describe(&message), "{name}");
        } else {
            assert_eq!(hex(&encoded), hex(&message), "{name}");
        }
    }
}

#[test]
fn every_malformed_message_is_refused_for_its_reason() {
    let expected = |name: &str| match name {
        "cdtp2-bad-block-is-string" => Some(Fault::BlockType),
        "cdtp2-bad-bor-one-record" => Some(Fault::RecordCount(1)),
        "cdtp2-bad-cdtp1-header" => Some(Fault::ProtocolRetired),
        "cdtp2-bad-record-of-2" => Some(Fault::RecordFields(2)),
        "cdtp2-bad-seq-is-float" => Some(Fault::Integer(0xcb)),
        "cdtp2-bad-tag-key-int" => Some(Fault::KeyType),
        "cdtp2-bad-tags-are-array" => Some(Fault::Type { expected: "a map", found: 0x90 }),
        "cdtp2-bad-trailing-bytes" => None,
        "cdtp2-bad-truncated" => Some(Fault::Truncated),
        "cdtp2-bad-type-3" => Some(Fault::Unknown { what: "message type", value: 3 }),
        "cdtp2-bad-type-as-string" => Some(Fault::Integer(0xa1)),
        "cdtp2-bad-unknown-protocol" => Some(Fault::Protocol),
        _ => panic!("a case without an expectation: {name}"),
    };
    for (name, description) in cases("cdtp2-bad-") {
        let reaction = description["reaction_py_1.0.2"].as_str().unwrap();
        assert_eq!(reaction == "accepted", expected(&name).is_none(), "{name}");
        assert_eq!(describe(&frame(&name)).err(), expected(&name), "{name}");
    }
}

#[test]
fn every_beacon() {
    for (name, description) in cases("chirp-") {
        let datagram = frame(&name);
        let beacon = Beacon::decode(&datagram).unwrap();
        assert_eq!(json!(beacon.kind as u8), description["type"], "{name}");
        assert_eq!(json!(beacon.service as u8), description["service"], "{name}");
        assert_eq!(json!(hex(&beacon.group)), description["group_md5_of_lowercase"], "{name}");
        assert_eq!(json!(hex(&beacon.host)), description["host_md5_of_lowercase"], "{name}");
        assert_eq!(json!(beacon.port), description["port"], "{name}");
        assert_eq!(beacon.encode().as_slice(), datagram, "{name}");
    }
}

#[test]
fn every_heartbeat() {
    for (name, description) in cases("chp1-") {
        let frames = frames(&name, &description);
        let heartbeat = Heartbeat::decode(&slices(&frames)).unwrap();
        assert_eq!(json!(heartbeat.sender), description["sender"], "{name}");
        assert_eq!(exact(heartbeat.time), description["time"], "{name}");
        assert_eq!(json!(heartbeat.state), description["state"], "{name}");
        let state = SatelliteState::from_wire(heartbeat.state).unwrap();
        assert_eq!(json!(state.name()), description["state_name"], "{name}");
        assert_eq!(json!(heartbeat.flags.0), description["flags"], "{name}");
        assert_eq!(json!(heartbeat.interval_ms), description["interval_ms"], "{name}");
        assert_eq!(json!(heartbeat.status), description["status"], "{name}");
        assert_eq!(heartbeat.encode().unwrap(), frames, "{name}");
    }
}

#[test]
fn every_control_message() {
    for (name, description) in cases("cscp1-") {
        let frames = frames(&name, &description);
        let control = Control::decode(&slices(&frames), Limits::default()).unwrap();
        assert_eq!(json!(control.sender), description["sender"], "{name}");
        assert_eq!(exact(control.time), description["time"], "{name}");
        assert_eq!(map_json(&control.tags, exact), description["tags"], "{name}");
        assert_eq!(json!(control.verb as u8), description["type"], "{name}");
        assert_eq!(json!(control.text), description["string"], "{name}");
        if let Some(payload) = description.get("payload") {
            assert_eq!(&to_json(control.payload.as_ref().unwrap_or(&Value::Nil), exact), payload, "{name}");
        }
        assert_eq!(control.encode(Profile::Full).unwrap(), frames, "{name}");
    }
}

#[test]
fn every_monitoring_message() {
    for (name, description) in cases("cmdp1-") {
        let frames = frames(&name, &description);
        let message = Monitoring::decode(&slices(&frames), Limits::default()).unwrap();
        assert_eq!(json!(message.sender), description["sender"], "{name}");
        assert_eq!(exact(message.time), description["time"], "{name}");
        match &message.body {
            MonitoringBody::Metric { value, kind, unit, .. } => {
                assert_eq!(to_json(value, exact), description["value"], "{name}");
                assert_eq!(json!(kind), description["flag"], "{name}");
                assert_eq!(json!(unit), description["unit"], "{name}");
            }
            MonitoringBody::Topics { topics, .. } => {
                assert_eq!(map_json(topics, exact), description["topics"], "{name}");
            }
            MonitoringBody::Log { text, .. } => assert_eq!(json!(text), description["text"], "{name}"),
        }
        assert_eq!(message.encode(Profile::Full).unwrap(), frames, "{name}");
    }
}
