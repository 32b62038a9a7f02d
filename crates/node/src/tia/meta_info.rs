//! Meta info and custom signal info.

use measurand_tia::{ChannelInfo, Document, MetaInfo, MetaInfoError, SignalInfo, SignalType, Subject};
use napi_derive::napi;

use super::dialect_of;
use crate::guard::{Result, error};

/// A document of meta info or custom signal info.
#[napi(object)]
pub struct TiaMetaInfo {
    /// Whether it is a client's choice.
    pub is_custom: bool,
    /// Who is measured: `id`, `firstName`, `surname` and others, as name and value.
    pub subject: Option<Vec<Vec<String>>>,
    /// Sampling rate of the master, Hz.
    pub master_rate: Option<f64>,
    /// Block size of the master.
    pub master_blocksize: Option<u32>,
    /// Signals in the document's order.
    pub signals: Vec<TiaSignalInfo>,
}

/// A signal of a document.
#[napi(object)]
pub struct TiaSignalInfo {
    /// Its type's name.
    #[napi(js_name = "type")]
    pub name: String,
    /// Bit of the type; -1 where the name is not known.
    pub bit: i32,
    /// Samples per second of a channel.
    pub sample_rate: f64,
    /// Samples per channel and packet.
    pub blocksize: u32,
    /// Channels.
    pub channels: u32,
    /// One sample is kept of so many.
    pub downsampling: u32,
    /// Numbers of the named channels, from 1.
    pub numbers: Vec<u32>,
    /// Their labels.
    pub labels: Vec<String>,
}

/// Reads a document.
#[napi(catch_unwind)]
pub fn read_tia_meta_info(xml: String) -> Result<TiaMetaInfo> {
    let info = MetaInfo::from_xml(&xml).map_err(|reason| {
        let code = match reason {
            MetaInfoError::Limit(..) => "ERR_TIA_METAINFO_LIMIT",
            MetaInfoError::Xml(_) => "ERR_TIA_METAINFO_XML",
            _ => "ERR_TIA_METAINFO_CONTENT",
        };
        error(code, reason)
    })?;
    let subject = info.subject.map(|subject| {
        let named = [("id", subject.id), ("firstName", subject.first_name), ("surname", subject.surname)];
        let named = named.into_iter().map(|(name, value)| vec![name.to_owned(), value]);
        named.chain(subject.other.into_iter().map(|(name, value)| vec![name, value])).collect()
    });
    let signals = info.signals.into_iter().map(|signal| TiaSignalInfo {
        bit: signal.signal.map_or(-1, |signal| i32::from(signal.bit())),
        name: signal.name,
        sample_rate: signal.sampling_rate,
        blocksize: signal.block_size,
        channels: signal.num_channels,
        downsampling: signal.downsampling_factor,
        numbers: signal.channels.iter().map(|channel| channel.nr).collect(),
        labels: signal.channels.into_iter().map(|channel| channel.label).collect(),
    });
    Ok(TiaMetaInfo {
        is_custom: info.document == Document::CustomSignalInfo,
        subject,
        master_rate: info.master.map(|master| master.0),
        master_blocksize: info.master.map(|master| master.1),
        signals: signals.collect(),
    })
}

/// Writes a document with the type names of a dialect: 0 pytia, 1 libtia, 2 pytiaclient.
#[napi(catch_unwind)]
pub fn write_tia_meta_info(info: TiaMetaInfo, dialect: u32) -> String {
    let subject = info.subject.map(|pairs| {
        let mut subject = Subject::default();
        for pair in pairs {
            let [name, value] = pair.try_into().unwrap_or_default();
            match name.as_str() {
                "id" => subject.id = value,
                "firstName" => subject.first_name = value,
                "surname" => subject.surname = value,
                _ => subject.other.push((name, value)),
            }
        }
        subject
    });
    let signals = info.signals.into_iter().map(|signal| {
        let channels = signal.numbers.into_iter().zip(signal.labels).map(|(nr, label)| ChannelInfo { nr, label });
        SignalInfo {
            signal: u8::try_from(signal.bit).ok().and_then(SignalType::from_bit),
            name: signal.name,
            sampling_rate: signal.sample_rate,
            block_size: signal.blocksize,
            num_channels: signal.channels,
            downsampling_factor: signal.downsampling,
            channels: channels.collect(),
        }
    });
    let document = if info.is_custom { Document::CustomSignalInfo } else { Document::MetaInfo };
    let master = info.master_rate.zip(info.master_blocksize);
    MetaInfo { document, subject, master, signals: signals.collect() }.to_xml(dialect_of(dialect))
}
