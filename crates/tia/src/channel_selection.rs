use core::f64::consts::PI;

use crate::packet::bits;
use crate::{Block, Packet, PacketError, PacketHeader, SignalType, write_packet};

/// Taps of the low-pass filter on each side of its middle, per unit of the downsampling factor.
const TAPS: usize = 4;
/// One sample of so many is kept at most.
const FACTOR_LIMIT: u16 = 1024;

/// What a client keeps of a signal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SignalSelection {
    /// The signal's type.
    pub signal: SignalType,
    /// Channels kept, from 0, in the order in which they are sent.
    pub channels: Vec<u16>,
    /// One sample of so many is kept, behind a low-pass filter; 1 keeps all.
    pub factor: u16,
}

/// Why a choice cannot be served.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SelectionError {
    /// The signal has no such channel, or it is chosen twice.
    #[error("channel {nr} of {signal} does not exist or is chosen twice", nr = channel + 1, signal = bit)]
    Channel {
        /// Bit of the signal type.
        bit: u8,
        /// The channel, from 0.
        channel: u16,
    },
    /// The downsampling factor is 0 or too large.
    #[error("a downsampling factor of {0}")]
    Factor(u16),
    /// The signal is not offered, or chosen twice.
    #[error("the signal of bit {0} does not exist or is chosen twice")]
    Signal(u8),
}

/// Makes one client's packets from those of all: chosen channels, fewer samples.
///
/// Filtering delays a downsampled signal by 4 of its own samples. A packet of which nothing is left is not sent: its id
/// is skipped.
#[derive(Debug)]
pub struct ChannelSelection {
    chosen: Vec<Chosen>,
    number: u64,
}

#[derive(Debug)]
struct Chosen {
    selection: SignalSelection,
    filters: Vec<Decimator>,
}

impl ChannelSelection {
    /// A choice from the signals that `offered` describes.
    pub fn new(offered: &[Block], chosen: Vec<SignalSelection>) -> Result<Self, SelectionError> {
        let mut flags = 0_u32;
        let mut kept = Vec::with_capacity(chosen.len());
        for selection in chosen {
            let bit = selection.signal.bit();
            let known = offered.iter().find(|block| block.bit == bit).filter(|_| flags & selection.signal.mask() == 0);
            let block = known.ok_or(SelectionError::Signal(bit))?;
            flags |= selection.signal.mask();
            if selection.factor == 0 || selection.factor > FACTOR_LIMIT {
                return Err(SelectionError::Factor(selection.factor));
            }
            let mut seen = std::collections::BTreeSet::new();
            if let Some(&channel) = selection.channels.iter().find(|&&c| c >= block.channels || !seen.insert(c)) {
                return Err(SelectionError::Channel { bit, channel });
            }
            let filter = Decimator::new(usize::from(selection.factor));
            let filters = if selection.factor > 1 { vec![filter; selection.channels.len()] } else { Vec::new() };
            kept.push(Chosen { selection, filters });
        }
        kept.sort_by_key(|chosen| chosen.selection.signal);
        Ok(Self { chosen: kept, number: 0 })
    }

    /// Appends what is left of each packet; the packets are the server's own.
    pub fn apply(&mut self, packets: &[u8], out: &mut Vec<u8>) -> Result<(), PacketError> {
        let mut rest = packets;
        let (mut blocks, mut samples, mut run) = (Vec::new(), Vec::new(), Vec::new());
        while let Some(packet) = Packet::read(rest, usize::MAX)? {
            blocks.clear();
            samples.clear();
            for chosen in &mut self.chosen {
                if let Some(block) = chosen.take(&packet, &mut run, &mut samples) {
                    blocks.push(block);
                }
            }
            if !blocks.is_empty() {
                let connection_packet_number = self.number;
                self.number += 1;
                let header = PacketHeader { connection_packet_number, ..packet.header };
                write_packet(out, &header, &blocks, &samples);
            }
            rest = rest.get(packet.header.size as usize..).unwrap_or(&[]);
        }
        Ok(())
    }
}

impl Chosen {
    fn take(&mut self, packet: &Packet<'_>, run: &mut Vec<f32>, out: &mut Vec<u8>) -> Option<Block> {
        let bit = self.selection.signal.bit();
        let before = bits(packet.header.flags).take_while(|&other| other < bit).count();
        let block = packet.blocks.get(before).filter(|block| block.bit == bit)?;
        let start: usize = packet.blocks.iter().take(before).map(|block| 4 * block.samples()).sum();
        let size = 4 * usize::from(block.blocksize);
        let mut kept = usize::from(block.blocksize);
        for (index, &channel) in self.selection.channels.iter().enumerate() {
            let from = start + usize::from(channel) * size;
            let samples = packet.samples.get(from..from + size)?;
            let Some(filter) = self.filters.get_mut(index) else {
                out.extend_from_slice(samples);
                continue;
            };
            run.clear();
            filter.push(samples, run);
            kept = run.len();
            out.extend_from_slice(bytemuck::cast_slice(run));
        }
        let channels = self.selection.channels.len() as u16;
        (kept > 0 && channels > 0).then_some(Block { bit, channels, blocksize: kept as u16 })
    }
}

/// Keeps one sample of `factor` behind a low-pass filter (a sinc under a Blackman window, its edge at 0.4 of the new rate).
#[derive(Clone, Debug)]
struct Decimator {
    taps: Vec<f64>,
    history: Vec<f64>,
    at: usize,
    phase: usize,
    factor: usize,
    primed: bool,
}

impl Decimator {
    fn new(factor: usize) -> Self {
        let middle = TAPS * factor;
        let length = 2 * middle + 1;
        let cutoff = 0.4 / factor as f64;
        let tap = |index: usize| {
            let x = index as f64 - middle as f64;
            let sinc = if index == middle { 2.0 * cutoff } else { (2.0 * PI * cutoff * x).sin() / (PI * x) };
            let turn = 2.0 * PI * index as f64 / (length - 1) as f64;
            sinc * (0.42 - 0.5 * turn.cos() + 0.08 * (2.0 * turn).cos())
        };
        let mut taps: Vec<f64> = (0..length).map(tap).collect();
        let sum: f64 = taps.iter().sum();
        for tap in &mut taps {
            *tap /= sum;
        }
        Self { history: vec![0.0; length], taps, at: 0, phase: 0, factor, primed: false }
    }

    fn push(&mut self, samples: &[u8], out: &mut Vec<f32>) {
        for sample in samples.as_chunks::<4>().0 {
            let value = f64::from(f32::from_le_bytes(*sample));
            if !core::mem::replace(&mut self.primed, true) {
                // The filter starts settled on the first value instead of on 0.
                self.history.fill(value);
            }
            if let Some(place) = self.history.get_mut(self.at) {
                *place = value;
            }
            self.at = (self.at + 1) % self.history.len();
            if self.phase == 0 {
                let (newer, older) = self.history.split_at(self.at);
                let ordered = older.iter().chain(newer);
                out.push(self.taps.iter().zip(ordered).map(|(tap, value)| tap * value).sum::<f64>() as f32);
            }
            self.phase = (self.phase + 1) % self.factor;
        }
    }
}

#[cfg(test)]
mod tests;
