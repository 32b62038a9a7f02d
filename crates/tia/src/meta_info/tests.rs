use proptest::prelude::*;

use super::*;
use crate::{MessageLimits, MessageReader};

fn of_session(session: &str) -> String {
    let path = format!("{}/../../__test__/vectors/tia/{session}/control.s2c.bin", env!("CARGO_MANIFEST_DIR"));
    let mut reader = MessageReader::new(MessageLimits::default());
    reader.push(&std::fs::read(path).unwrap());
    reader.next_message().unwrap();
    String::from_utf8(reader.next_message().unwrap().unwrap().content.unwrap()).unwrap()
}

#[test]
fn pytia_s_document_is_read_and_written_back_byte_for_byte() {
    for session in ["tcp-one-signal", "tcp-three-signals", "tcp-large", "tcp-order-quirk"] {
        let xml = of_session(session);
        assert_eq!(MetaInfo::from_xml(&xml).unwrap().to_xml(Dialect::Pytia), xml, "{session}");
    }
    let info = MetaInfo::from_xml(&of_session("tcp-three-signals")).unwrap();
    assert_eq!(info.master, Some((500.0, 4)));
    assert_eq!(info.subject.unwrap().surname, "DEF");
    let bits: Vec<_> = info.signals.iter().map(|signal| signal.signal.unwrap().bit()).collect();
    assert_eq!(bits, [0, 1, 5]);
    assert_eq!(info.signals[0].channels[7], ChannelInfo { nr: 8, label: "channel8".into() });
}

#[test]
fn foreign_documents_are_read() {
    let xml = "<?xml version=\"1.0\"?>\n<tiaMetaInfo version=\"1.0\">\n\t<subject handedness=\"r\" id='a&amp;b'/>\
        <signal numChannels=\"1\" type=\"AXIS\" blockSize=\"1\" samplingRate=\"0\"/></tiaMetaInfo>";
    let info = MetaInfo::from_xml(xml).unwrap();
    let subject = info.subject.clone().unwrap();
    assert_eq!((subject.id.as_str(), subject.other.len()), ("a&b", 1));
    assert_eq!(info.signals[0].signal, SignalType::from_bit(7));
    assert!(info.to_xml(Dialect::Libtia).contains("type=\"axis\""));
    assert!(info.to_xml(Dialect::Pytia).contains("id=\"a&amp;b\" handedness=\"r\""));
    // pytia does not escape.
    let raw = "<tiaMetaInfo version=\"1.0\"><subject id=\"R&D\"/></tiaMetaInfo>";
    assert_eq!(MetaInfo::from_xml(raw).unwrap().subject.unwrap().id, "R&D");
}

#[test]
fn a_client_s_choice() {
    let xml = "<tiaCustomSignalInfo version=\"1.0\"><masterSignal samplingRate=\"512\" blockSize=\"8\"/>\
        <signal type=\"eeg\" samplingRate=\"512\" blockSize=\"8\" numChannels=\"1\" downsamplingFactor=\"4\">\
        <channel nr=\"2\" label=\"Pz\"/></signal></tiaCustomSignalInfo>";
    let info = MetaInfo::from_xml(xml).unwrap();
    assert_eq!(info.document, Document::CustomSignalInfo);
    assert_eq!((info.signals[0].downsampling_factor, info.signals[0].channels[0].nr), (4, 2));
    assert_eq!(MetaInfo::from_xml(&info.to_xml(Dialect::Libtia)).unwrap(), info);
}

#[test]
fn malformed_documents_are_told_apart() {
    let signal = |attributes: &str| MetaInfo::from_xml(&format!("<tiaMetaInfo><signal {attributes}/></tiaMetaInfo>"));
    let missing = |attribute| Err(MetaInfoError::Attribute { element: "signal", attribute });
    assert_eq!(signal("samplingRate='1' blockSize='1' numChannels='1'"), missing("type"));
    assert_eq!(signal("type='eeg' samplingRate='x' blockSize='1' numChannels='1'"), missing("samplingRate"));
    assert_eq!(signal("type='eeg' samplingRate='1' numChannels='1'"), missing("blockSize"));
    assert_eq!(
        signal("type='eeg' samplingRate='1' blockSize='1' numChannels='65536'"),
        Err(MetaInfoError::Limit(65_535, "channels"))
    );
    assert_eq!(MetaInfo::from_xml("<html/>"), Err(MetaInfoError::Root));
    assert_eq!(MetaInfo::from_xml(""), Err(MetaInfoError::Root));
    assert!(matches!(MetaInfo::from_xml("<tiaMetaInfo><a></b></tiaMetaInfo>"), Err(MetaInfoError::Xml(_))));
    let channel = "<tiaMetaInfo><signal type='eeg' samplingRate='1' blockSize='1' numChannels='1'>\
        <channel nr='2' label='x'/></signal></tiaMetaInfo>";
    assert_eq!(MetaInfo::from_xml(channel), Err(MetaInfoError::Channel { nr: 2, channels: 1 }));
}

proptest! {
    #[test]
    fn documents_come_back(id in "[^\\x00-\\x1f\\x7f-\\x9f\\u{fffe}\\u{ffff}\\s]{0,12}", labels in proptest::collection::vec("[ -~äπ]{1,8}", 0..5), rate in 0..100_000_u32, dialect in prop_oneof![Just(Dialect::Pytia), Just(Dialect::Libtia)]) {
        let signal = SignalType::from_bit(8).unwrap();
        let channels: Vec<_> = (1..).zip(labels).map(|(nr, label)| ChannelInfo { nr, label }).collect();
        let info = MetaInfo {
            document: Document::MetaInfo,
            subject: Some(Subject { id, ..Subject::default() }),
            master: Some((f64::from(rate), 3)),
            signals: vec![SignalInfo {
                name: signal.name(dialect), signal: Some(signal), sampling_rate: f64::from(rate), block_size: 3,
                num_channels: channels.len() as u32, downsampling_factor: 1, channels,
            }],
        };
        prop_assert_eq!(MetaInfo::from_xml(&info.to_xml(dialect)), Ok(info));
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(<|>|/|\"|=|tiaMetaInfo|signal|channel| |nr|&|;|[a-z]|\\PC){0,60}") {
        let _ = MetaInfo::from_xml(&text);
    }
}
