/// The states of a satellite; the low half of a transitional state is the high half of its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum SatelliteState {
    /// Just started.
    New = 0x10,
    /// On the way to [`Self::Init`].
    Initializing = 0x12,
    /// Configured.
    Init = 0x20,
    /// On the way to [`Self::Orbit`].
    Launching = 0x23,
    /// Ready for a run.
    Orbit = 0x30,
    /// On the way back to [`Self::Init`].
    Landing = 0x32,
    /// On the way from [`Self::Orbit`] to itself.
    Reconfiguring = 0x33,
    /// On the way to [`Self::Run`].
    Starting = 0x34,
    /// In a run.
    Run = 0x40,
    /// On the way back to [`Self::Orbit`].
    Stopping = 0x43,
    /// On the way to [`Self::Safe`].
    Interrupting = 0x0e,
    /// Brought to safety by an interrupt.
    Safe = 0xe0,
    /// Failed.
    Error = 0xf0,
    /// Gone (Python only).
    Dead = 0xff,
}

impl SatelliteState {
    /// All states.
    pub const ALL: [Self; 14] = [
        Self::New,
        Self::Initializing,
        Self::Init,
        Self::Launching,
        Self::Orbit,
        Self::Landing,
        Self::Reconfiguring,
        Self::Starting,
        Self::Run,
        Self::Stopping,
        Self::Interrupting,
        Self::Safe,
        Self::Error,
        Self::Dead,
    ];

    /// The state of a number on the wire.
    pub fn from_wire(value: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|state| *state as u8 == value)
    }

    /// The name that the framework prints.
    pub const fn name(self) -> &'static str {
        match self {
            Self::New => "NEW",
            Self::Initializing => "initializing",
            Self::Init => "INIT",
            Self::Launching => "launching",
            Self::Orbit => "ORBIT",
            Self::Landing => "landing",
            Self::Reconfiguring => "reconfiguring",
            Self::Starting => "starting",
            Self::Run => "RUN",
            Self::Stopping => "stopping",
            Self::Interrupting => "interrupting",
            Self::Safe => "SAFE",
            Self::Error => "ERROR",
            Self::Dead => "DEAD",
        }
    }
}
