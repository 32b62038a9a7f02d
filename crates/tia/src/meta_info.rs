use std::borrow::Cow;
use std::fmt::Write as _;

use quick_xml::XmlVersion;
use quick_xml::escape::escape;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;

use crate::{Dialect, SignalType};

/// Signals of a document at most: more than there are types, for servers that repeat one.
const SIGNAL_LIMIT: usize = 256;
/// Channels of a signal at most: what a packet can count.
const CHANNEL_LIMIT: u32 = 65_535;

/// Which document the XML is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Document {
    /// `tiaMetaInfo`: what a server offers.
    #[default]
    MetaInfo,
    /// `tiaCustomSignalInfo`: what a client wants of it.
    CustomSignalInfo,
}

/// A server's description of its signals, or a client's choice of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct MetaInfo {
    /// Which of the two.
    pub document: Document,
    /// Who is measured.
    pub subject: Option<Subject>,
    /// Sampling rate (Hz) and block size of the signal that paces the packets.
    pub master: Option<(f64, u32)>,
    /// Signals in the document's order.
    pub signals: Vec<SignalInfo>,
}

/// The subject, as far as the server tells.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Subject {
    /// Identity.
    pub id: String,
    /// First name.
    pub first_name: String,
    /// Surname.
    pub surname: String,
    /// Any other attribute: birthday, sex, handedness, medication, glasses, smoker.
    pub other: Vec<(String, String)>,
}

/// A signal.
#[derive(Clone, Debug, PartialEq)]
pub struct SignalInfo {
    /// Its type's name as the document has it.
    pub name: String,
    /// Its type; `None` where the name is not known.
    pub signal: Option<SignalType>,
    /// Samples per second of a channel; 0 for an aperiodic signal.
    pub sampling_rate: f64,
    /// Samples per channel and packet.
    pub block_size: u32,
    /// Channels.
    pub num_channels: u32,
    /// Of a custom signal info: one sample is kept of so many.
    pub downsampling_factor: u32,
    /// Channels that are named.
    pub channels: Vec<ChannelInfo>,
}

/// A channel.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ChannelInfo {
    /// Its number, from 1.
    pub nr: u32,
    /// Its label.
    pub label: String,
}

/// Why a document is not meta info.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetaInfoError {
    /// An attribute that must be there is not, or is not a number.
    #[error("the element {element} has no valid attribute {attribute}")]
    Attribute {
        /// Element.
        element: &'static str,
        /// Attribute.
        attribute: &'static str,
    },
    /// A channel's number is 0 or beyond the signal's channels.
    #[error("channel {nr} of a signal with {channels}")]
    Channel {
        /// The number.
        nr: u32,
        /// Channels of the signal.
        channels: u32,
    },
    /// More signals or channels than a packet can have.
    #[error("the document has more than {0} {1}")]
    Limit(u32, &'static str),
    /// Another root element.
    #[error("the root element is neither tiaMetaInfo nor tiaCustomSignalInfo")]
    Root,
    /// Not well-formed.
    #[error("not well-formed XML near byte {0}")]
    Xml(u64),
}

impl MetaInfo {
    /// Reads a document; names, order and attributes are taken leniently.
    pub fn from_xml(xml: &str) -> Result<Self, MetaInfoError> {
        let mut reader = Reader::from_str(xml);
        let mut info = Self::default();
        let mut rooted = false;
        loop {
            let event = reader.read_event().map_err(|_| MetaInfoError::Xml(reader.error_position()))?;
            let element = match &event {
                Event::Start(element) | Event::Empty(element) => element,
                Event::Eof if rooted => break,
                Event::Eof => return Err(MetaInfoError::Root),
                _ => continue,
            };
            let name = element.local_name();
            match (rooted, name.as_ref()) {
                (false, "tiaMetaInfo") => rooted = true,
                (false, "tiaCustomSignalInfo") => {
                    rooted = true;
                    info.document = Document::CustomSignalInfo;
                }
                (false, _) => return Err(MetaInfoError::Root),
                (true, "subject") => info.subject = Some(read_subject(element)),
                (true, "masterSignal") => {
                    let block_size = number(element, "masterSignal", "blockSize")? as u32;
                    info.master = Some((number(element, "masterSignal", "samplingRate")?, block_size));
                }
                (true, "signal") => {
                    if info.signals.len() == SIGNAL_LIMIT {
                        return Err(MetaInfoError::Limit(SIGNAL_LIMIT as u32, "signals"));
                    }
                    info.signals.push(read_signal(element)?);
                }
                (true, "channel") => {
                    if let Some(signal) = info.signals.last_mut() {
                        signal.push_channel(element, info.document)?;
                    }
                }
                _ => {}
            }
        }
        Ok(info)
    }

    /// Writes the document as libtia does in attributes and order, one element a line, ended by two LF.
    pub fn to_xml(&self, dialect: Dialect) -> String {
        let root = match self.document {
            Document::MetaInfo => "tiaMetaInfo",
            Document::CustomSignalInfo => "tiaCustomSignalInfo",
        };
        let mut xml = format!("<{root} version=\"1.0\">\n");
        if let Some(subject) = &self.subject {
            subject.write(&mut xml);
        }
        if let Some((rate, block_size)) = self.master {
            let _ = writeln!(xml, "<masterSignal samplingRate=\"{}\" blockSize=\"{block_size}\"/>", rate.round());
        }
        for signal in &self.signals {
            signal.write(&mut xml, dialect);
        }
        let _ = write!(xml, "</{root}>\n\n");
        xml
    }
}

impl Subject {
    fn write(&self, xml: &mut String) {
        xml.push_str("<subject");
        let named = [("id", &self.id), ("firstName", &self.first_name), ("surname", &self.surname)];
        let other = self.other.iter().map(|(name, value)| (name.as_str(), value));
        for (name, value) in named.into_iter().chain(other) {
            let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            if plain && !value.is_empty() {
                let _ = write!(xml, " {name}=\"{}\"", escape(value));
            }
        }
        xml.push_str("/>\n");
    }
}

impl SignalInfo {
    fn push_channel(&mut self, element: &BytesStart<'_>, document: Document) -> Result<(), MetaInfoError> {
        let nr = number(element, "channel", "nr")? as u32;
        let channels = self.num_channels;
        // A choice names channels by the numbers that the server gave them.
        let most = if document == Document::MetaInfo { channels } else { CHANNEL_LIMIT };
        if nr == 0 || nr > most {
            return Err(MetaInfoError::Channel { nr, channels });
        }
        if self.channels.len() as u32 >= CHANNEL_LIMIT {
            return Err(MetaInfoError::Limit(CHANNEL_LIMIT, "channels"));
        }
        let label = attribute(element, "label").unwrap_or_else(|| nr.to_string());
        self.channels.push(ChannelInfo { nr, label });
        Ok(())
    }

    fn write(&self, xml: &mut String, dialect: Dialect) {
        let name = self.signal.map_or_else(|| self.name.clone(), |signal| signal.name(dialect));
        let _ = write!(
            xml,
            "<signal type=\"{}\" samplingRate=\"{}\" blockSize=\"{}\" numChannels=\"{}\"",
            escape(name),
            self.sampling_rate.round(),
            self.block_size,
            self.num_channels
        );
        if self.downsampling_factor > 1 {
            let _ = write!(xml, " downsamplingFactor=\"{}\"", self.downsampling_factor);
        }
        xml.push_str(">\n");
        for channel in &self.channels {
            let _ = writeln!(xml, "<channel nr=\"{}\" label=\"{}\"/>", channel.nr, escape(&channel.label));
        }
        xml.push_str("</signal>\n");
    }
}

fn read_subject(element: &BytesStart<'_>) -> Subject {
    let mut subject = Subject::default();
    for (name, value) in attributes(element) {
        match name.as_str() {
            "id" => subject.id = value,
            "firstName" => subject.first_name = value,
            "surname" => subject.surname = value,
            _ => subject.other.push((name, value)),
        }
    }
    subject
}

fn read_signal(element: &BytesStart<'_>) -> Result<SignalInfo, MetaInfoError> {
    let name = attribute(element, "type").ok_or(MetaInfoError::Attribute { element: "signal", attribute: "type" })?;
    let num_channels = number(element, "signal", "numChannels")? as u32;
    if num_channels > CHANNEL_LIMIT {
        return Err(MetaInfoError::Limit(CHANNEL_LIMIT, "channels"));
    }
    let factor = attribute(element, "downsamplingFactor").and_then(|text| text.trim().parse().ok());
    Ok(SignalInfo {
        signal: SignalType::from_name(name.trim()),
        name,
        sampling_rate: number(element, "signal", "samplingRate")?,
        block_size: number(element, "signal", "blockSize")? as u32,
        num_channels,
        downsampling_factor: factor.unwrap_or(1).max(1),
        channels: Vec::new(),
    })
}

fn number(element: &BytesStart<'_>, of: &'static str, name: &'static str) -> Result<f64, MetaInfoError> {
    attribute(element, name)
        .and_then(|text| text.trim().parse::<f64>().ok())
        .filter(|number| number.is_finite() && *number >= 0.0)
        .ok_or(MetaInfoError::Attribute { element: of, attribute: name })
}

fn attribute(element: &BytesStart<'_>, wanted: &str) -> Option<String> {
    attributes(element).into_iter().find(|(name, _)| name == wanted).map(|(_, value)| value)
}

/// pytia does not escape, so a value that is no XML is taken as it stands.
fn attributes(element: &BytesStart<'_>) -> Vec<(String, String)> {
    let mut attributes = element.attributes();
    let read = attributes.with_checks(false).flatten().map(|attribute| {
        let value = attribute.normalized_value(XmlVersion::Implicit1_0);
        let value = value.map_or_else(|_| attribute.value.to_string(), Cow::into_owned);
        (attribute.key.local_name().as_ref().to_owned(), value)
    });
    read.collect()
}

#[cfg(test)]
mod tests;
