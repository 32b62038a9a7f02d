use thiserror::Error;

/// What a beacon says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BeaconKind {
    /// Who offers the service?
    Request = 1,
    /// The sender offers it.
    Offer = 2,
    /// The sender offers it no longer.
    Depart = 3,
}

/// A service of a satellite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Service {
    /// CSCP.
    Control = 1,
    /// CHP.
    Heartbeat = 2,
    /// CMDP.
    Monitoring = 3,
    /// CDTP.
    Data = 4,
}

/// Why a datagram is not a beacon.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum BeaconError {
    /// Not 42 bytes.
    #[error("a beacon of {0} bytes")]
    Length(usize),
    /// Another identifier or version.
    #[error("not CHIRP version 1")]
    Protocol,
    /// An unknown type of beacon.
    #[error("a beacon of type {0}")]
    Kind(u8),
    /// An unknown service.
    #[error("a service {0}")]
    Service(u8),
}

/// A CHIRP beacon: 42 bytes of a multicast datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beacon {
    /// What it says.
    pub kind: BeaconKind,
    /// MD5 of the lower-cased group name.
    pub group: [u8; 16],
    /// MD5 of the lower-cased canonical name.
    pub host: [u8; 16],
    /// Which service.
    pub service: Service,
    /// TCP port; 0 in a request.
    pub port: u16,
}

impl Beacon {
    /// Bytes of every beacon.
    pub const LENGTH: usize = 42;

    const PROTOCOL: [u8; 6] = *b"CHIRP\x01";

    /// Reads a datagram.
    pub fn decode(datagram: &[u8]) -> Result<Self, BeaconError> {
        let bytes: &[u8; Self::LENGTH] = datagram.try_into().map_err(|_| BeaconError::Length(datagram.len()))?;
        if bytes[..6] != Self::PROTOCOL {
            return Err(BeaconError::Protocol);
        }
        let kind = match bytes[6] {
            1 => BeaconKind::Request,
            2 => BeaconKind::Offer,
            3 => BeaconKind::Depart,
            other => return Err(BeaconError::Kind(other)),
        };
        let service = match bytes[39] {
            1 => Service::Control,
            2 => Service::Heartbeat,
            3 => Service::Monitoring,
            4 => Service::Data,
            other => return Err(BeaconError::Service(other)),
        };
        let (mut group, mut host) = ([0; 16], [0; 16]);
        group.copy_from_slice(&bytes[7..23]);
        host.copy_from_slice(&bytes[23..39]);
        Ok(Self { kind, group, host, service, port: u16::from_be_bytes([bytes[40], bytes[41]]) })
    }

    /// The datagram.
    pub fn encode(&self) -> [u8; Self::LENGTH] {
        let mut bytes = [0; Self::LENGTH];
        bytes[..6].copy_from_slice(&Self::PROTOCOL);
        bytes[6] = self.kind as u8;
        bytes[7..23].copy_from_slice(&self.group);
        bytes[23..39].copy_from_slice(&self.host);
        bytes[39] = self.service as u8;
        bytes[40..].copy_from_slice(&self.port.to_be_bytes());
        bytes
    }
}
