use crate::connection_string::ConnectionString;
use crate::reader::{Reader, write_counted};

/// What a subscriber asks for (command 02).
#[allow(clippy::struct_excessive_bools, reason = "the connection string has as many")]
#[derive(Clone, Debug, PartialEq)]
pub struct Subscription {
    /// Flags of the command; [`Subscription::COMPACT`] unless the peer is odd.
    pub flags: u8,
    /// Which signals; `None` leaves it to the publisher.
    pub filter_expression: Option<String>,
    /// The publisher sends the latest value of each signal every `publish_interval`.
    pub throttled: bool,
    /// Seconds; default 1.
    pub publish_interval: f64,
    /// Compact measurements have a time.
    pub include_time: bool,
    /// Throttled values whose time is out of `lag_time` and `lead_time` become NaN; `None` leaves it to the publisher.
    pub enable_time_reasonability_check: Option<bool>,
    /// Seconds; default 10.
    pub lag_time: f64,
    /// Seconds; default 5.
    pub lead_time: f64,
    /// Base times come from the publisher's clock.
    pub use_local_clock_as_real_time: bool,
    /// Compact measurements have times of whole milliseconds.
    pub use_millisecond_resolution: bool,
    /// NaN values are not sent.
    pub request_nan_value_filter: bool,
    /// Speed of a historical subscription, ms between frames; -1 default, 0 as fast as possible.
    pub processing_interval: i32,
    /// Who asks.
    pub assembly_info: AssemblyInfo,
    /// UDP port to which data is sent.
    pub data_channel: Option<u16>,
    /// Multicast group to which it is sent instead of to the subscriber; our own extension, which others ignore.
    pub data_channel_group: Option<String>,
    /// Begin of a historical subscription: a time, or `*-30s`.
    pub start_time_constraint: Option<String>,
    /// End of a historical subscription.
    pub stop_time_constraint: Option<String>,
    /// Whatever the publisher takes for one.
    pub time_constraint_parameters: Option<String>,
    /// Settings of other names, as they came.
    pub other: Vec<(String, String)>,
    /// Tokens that are no setting, as they came.
    pub ignored: Vec<String>,
}

/// The program that subscribes; peers key their workarounds on it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct AssemblyInfo {
    /// Its name, such as `STTP Python Library`.
    pub source: String,
    /// Its version.
    pub version: String,
    /// The day of that version.
    pub updated_on: String,
}

/// Why a subscription cannot be understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The payload ends early.
    #[error("the payload ends within the connection string")]
    Truncated,
    /// The connection string is not UTF-8.
    #[error("the connection string is not UTF-8")]
    Text,
    /// A setting has no value of its type.
    #[error("{name}={value} is not a {kind}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// What it should be.
        kind: &'static str,
    },
}

impl Subscription {
    /// Flag: measurements are compact (or TSSC where the modes say so).
    pub const COMPACT: u8 = 0x02;
    /// Flag of an older protocol that publishers refuse.
    pub const SYNCHRONIZED: u8 = 0x01;

    /// Reads the payload of the command.
    pub fn parse(payload: &[u8]) -> Result<Self, SubscriptionError> {
        let mut reader = Reader::new(payload);
        let (Some(flags), Some(bytes)) = (reader.u8(), reader.counted()) else {
            return Err(SubscriptionError::Truncated);
        };
        let text = core::str::from_utf8(bytes).map_err(|_| SubscriptionError::Text)?;
        let mut subscription = Self::from_settings(ConnectionString::parse(text))?;
        subscription.flags = flags;
        Ok(subscription)
    }

    /// Appends the payload of the command.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.push(self.flags);
        write_counted(self.connection_string().to_string().as_bytes(), out);
    }

    /// Reads settings; the last of a name in any case counts.
    pub fn from_settings(text: ConnectionString) -> Result<Self, SubscriptionError> {
        let mut subscription = Self { ignored: text.ignored, ..Self::default() };
        for (name, value) in text.settings {
            match name.to_ascii_lowercase().as_str() {
                "filterexpression" => subscription.filter_expression = Some(value),
                "throttled" => subscription.throttled = boolean("throttled", &value)?,
                "publishinterval" => subscription.publish_interval = number("publishInterval", &value)?,
                "includetime" => subscription.include_time = boolean("includeTime", &value)?,
                "enabletimereasonabilitycheck" => {
                    subscription.enable_time_reasonability_check =
                        Some(boolean("enableTimeReasonabilityCheck", &value)?);
                }
                "lagtime" => subscription.lag_time = number("lagTime", &value)?,
                "leadtime" => subscription.lead_time = number("leadTime", &value)?,
                "uselocalclockasrealtime" => {
                    subscription.use_local_clock_as_real_time = boolean("useLocalClockAsRealTime", &value)?;
                }
                "usemillisecondresolution" => {
                    subscription.use_millisecond_resolution = boolean("useMillisecondResolution", &value)?;
                }
                "requestnanvaluefilter" => {
                    subscription.request_nan_value_filter = boolean("requestNaNValueFilter", &value)?;
                }
                "processinginterval" => {
                    subscription.processing_interval = parsed("processingInterval", &value, "whole number")?;
                }
                "assemblyinfo" => subscription.assembly_info = AssemblyInfo::parse(&value),
                "datachannel" => {
                    let settings = ConnectionString::parse(&value);
                    subscription.data_channel = Some(port(&settings)?);
                    subscription.data_channel_group = settings.get("group").map(str::to_owned);
                }
                "starttimeconstraint" => subscription.start_time_constraint = Some(value),
                "stoptimeconstraint" => subscription.stop_time_constraint = Some(value),
                "timeconstraintparameters" => subscription.time_constraint_parameters = Some(value),
                _ => subscription.other.push((name, value)),
            }
        }
        Ok(subscription)
    }

    /// The settings, named as all peers read them (sttpapi minds the case).
    pub fn connection_string(&self) -> ConnectionString {
        let mut text = ConnectionString::default();
        text.push("throttled", self.throttled.to_string());
        text.push("publishInterval", decimal(self.publish_interval));
        text.push("includeTime", self.include_time.to_string());
        if let Some(check) = self.enable_time_reasonability_check {
            text.push("enableTimeReasonabilityCheck", check.to_string());
        }
        text.push("lagTime", decimal(self.lag_time));
        text.push("leadTime", decimal(self.lead_time));
        text.push("useLocalClockAsRealTime", self.use_local_clock_as_real_time.to_string());
        text.push("processingInterval", self.processing_interval.to_string());
        text.push("useMillisecondResolution", self.use_millisecond_resolution.to_string());
        text.push("requestNaNValueFilter", self.request_nan_value_filter.to_string());
        text.push("assemblyInfo", self.assembly_info.text());
        for (name, value) in [
            ("startTimeConstraint", &self.start_time_constraint),
            ("stopTimeConstraint", &self.stop_time_constraint),
            ("timeConstraintParameters", &self.time_constraint_parameters),
            ("filterExpression", &self.filter_expression),
        ] {
            if let Some(value) = value {
                text.push(name, value.as_str());
            }
        }
        if let Some(port) = self.data_channel {
            let mut channel = ConnectionString::default();
            channel.push("localport", port.to_string());
            if let Some(group) = &self.data_channel_group {
                channel.push("group", group.as_str());
            }
            text.push("dataChannel", channel.to_string());
        }
        text.settings.extend(self.other.iter().cloned());
        text
    }
}

impl Default for Subscription {
    fn default() -> Self {
        Self {
            flags: Self::COMPACT,
            filter_expression: None,
            throttled: false,
            publish_interval: 1.0,
            include_time: true,
            enable_time_reasonability_check: None,
            lag_time: 10.0,
            lead_time: 5.0,
            use_local_clock_as_real_time: false,
            use_millisecond_resolution: false,
            request_nan_value_filter: false,
            processing_interval: -1,
            assembly_info: AssemblyInfo::default(),
            data_channel: None,
            data_channel_group: None,
            start_time_constraint: None,
            stop_time_constraint: None,
            time_constraint_parameters: None,
            other: Vec::new(),
            ignored: Vec::new(),
        }
    }
}

impl AssemblyInfo {
    /// Whether it is sttpapi, the Python library.
    pub fn is_sttpapi(&self) -> bool {
        self.source == "STTP Python Library"
    }

    fn parse(text: &str) -> Self {
        let settings = ConnectionString::parse(text);
        let value = |name| settings.get(name).unwrap_or_default().to_owned();
        Self { source: value("source"), version: value("version"), updated_on: value("updatedOn") }
    }

    fn text(&self) -> String {
        let mut text = ConnectionString::default();
        text.push("source", self.source.as_str());
        text.push("version", self.version.as_str());
        text.push("updatedOn", self.updated_on.as_str());
        text.to_string()
    }
}

fn boolean(name: &'static str, value: &str) -> Result<bool, SubscriptionError> {
    if value.eq_ignore_ascii_case("true") || value == "1" {
        return Ok(true);
    }
    if value.eq_ignore_ascii_case("false") || value == "0" {
        return Ok(false);
    }
    Err(SubscriptionError::Value { name, value: value.to_owned(), kind: "boolean" })
}

fn number(name: &'static str, value: &str) -> Result<f64, SubscriptionError> {
    parsed::<f64>(name, value, "number").and_then(|number| {
        let wrong = || SubscriptionError::Value { name, value: value.to_owned(), kind: "finite number" };
        if number.is_finite() { Ok(number) } else { Err(wrong()) }
    })
}

fn parsed<T: core::str::FromStr>(name: &'static str, value: &str, kind: &'static str) -> Result<T, SubscriptionError> {
    value.parse().map_err(|_| SubscriptionError::Value { name, value: value.to_owned(), kind })
}

/// The port of `localport=N` or `port=N`.
fn port(settings: &ConnectionString) -> Result<u16, SubscriptionError> {
    let port = settings.get("localport").or_else(|| settings.get("port")).unwrap_or_default();
    parsed("dataChannel", port, "port")
}

/// Six decimals at least, as the peers print them, and as many more as the number needs.
fn decimal(number: f64) -> String {
    let six = format!("{number:.6}");
    if six.parse() == Ok(number) { six } else { number.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payload(text: &str) -> Vec<u8> {
        let mut payload = vec![2];
        write_counted(text.as_bytes(), &mut payload);
        payload
    }

    #[test]
    fn peers_are_understood() {
        let text = "throttled=True;requestNaNValueFilterfalse;LAGTIME=2.5;assemblyInfo={source=STTP Go Library;\
                    version=0.7.1;updatedOn=2024-01-01};dataChannel={port=9600};filterExpression={FILTER A WHERE b='c'}";
        let subscription = Subscription::parse(&payload(text)).unwrap();
        assert!(subscription.throttled);
        assert_eq!(subscription.lag_time.to_bits(), 2.5_f64.to_bits());
        assert_eq!(subscription.assembly_info.source, "STTP Go Library");
        assert_eq!(subscription.data_channel, Some(9600));
        assert_eq!(subscription.filter_expression.as_deref(), Some("FILTER A WHERE b='c'"));
        assert_eq!(subscription.ignored, ["requestNaNValueFilterfalse"]);
        assert_eq!(subscription.enable_time_reasonability_check, None);
    }

    #[test]
    fn wrong_values_are_named() {
        let error = Subscription::parse(&payload("includeTime=maybe")).unwrap_err();
        let expected = SubscriptionError::Value { name: "includeTime", value: "maybe".into(), kind: "boolean" };
        assert_eq!(error, expected);
        assert!(Subscription::parse(&payload("lagTime=inf")).is_err());
        assert!(Subscription::parse(&payload("dataChannel={localport=70000}")).is_err());
        assert_eq!(Subscription::parse(&[2, 0, 0, 0, 1]), Err(SubscriptionError::Truncated));
        assert_eq!(Subscription::parse(&[2, 0, 0, 0, 1, 0xFF]), Err(SubscriptionError::Text));
    }

    proptest! {
        #[test]
        fn a_subscription_comes_back(
            filter_expression in proptest::option::of("[^{}]{0,30}"),
            (throttled, include_time, use_millisecond_resolution) in any::<(bool, bool, bool)>(),
            enable_time_reasonability_check in any::<Option<bool>>(),
            (lag_time, lead_time) in (-1e9..1e9_f64, 0.0..1.0_f64),
            processing_interval in any::<i32>(),
            source in "[a-zA-Z0-9][a-zA-Z0-9 .;=]{0,10}[a-z]",
            data_channel in any::<Option<u16>>(),
            group in proptest::option::of("239\\.[0-9]{1,3}\\.0\\.1|ff02::[0-9a-f]{1,4}"),
            start_time_constraint in proptest::option::of("\\*-[0-9]{1,3}s"),
        ) {
            let subscription = Subscription {
                filter_expression, throttled, include_time, use_millisecond_resolution, enable_time_reasonability_check,
                lag_time, lead_time, processing_interval, data_channel, start_time_constraint,
                assembly_info: AssemblyInfo { source, version: "1".into(), updated_on: String::new() },
                data_channel_group: data_channel.and(group),
                other: vec![("inputMeasurementKeys".into(), "PPA:1;PPA:2".into())],
                ..Subscription::default()
            };
            let mut bytes = Vec::new();
            subscription.write(&mut bytes);
            prop_assert_eq!(Subscription::parse(&bytes), Ok(subscription));
        }
    }
}
