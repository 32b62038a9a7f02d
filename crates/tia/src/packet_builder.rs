use crate::packet::{FIXED_V3, PacketHead};
use crate::samples::copy_run;
use crate::{Block, PacketHeader, SignalType};

/// When blocks of a signal go into packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Pace {
    /// Each of its blocks is a packet. One signal has this.
    Master,
    /// `blocks` of it for every `packets` packets, the first included: packet n takes those from the ceiling of
    /// `n * blocks / packets` on.
    Scheduled {
        /// Blocks of the signal.
        blocks: u32,
        /// Packets in which they lie.
        packets: u32,
    },
    /// What there is goes into the next packets; a signal without a block is absent from the packet.
    Buffered,
}

/// A signal that packets are built from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SourceSignal {
    /// Its type.
    pub signal: SignalType,
    /// Channels.
    pub channels: u16,
    /// Samples per channel of a block.
    pub blocksize: u16,
    /// When it is sent.
    pub pace: Pace,
}

impl SourceSignal {
    fn samples(&self) -> usize {
        self.channels as usize * self.blocksize as usize
    }
}

/// Why signals or samples cannot become packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two signals of one type.
    #[error("two signals have the type of bit {0}")]
    Duplicate(u8),
    /// Not exactly one signal is the master.
    #[error("{0} signals are masters, one has to be")]
    Masters(usize),
    /// A packet would be over the limit.
    #[error("a packet of {bytes} bytes is over the limit of {limit}")]
    Limit {
        /// Bytes of a packet with a block of every signal.
        bytes: usize,
        /// Bytes at most.
        limit: usize,
    },
    /// The buffer has too few bytes for the packets.
    #[error("the packets need {expected} bytes, the buffer has {actual}")]
    Room {
        /// Bytes that the packets need.
        expected: usize,
        /// Bytes of the buffer.
        actual: usize,
    },
    /// The samples are no whole number of blocks.
    #[error("{samples} samples are no whole number of blocks of {block}")]
    Samples {
        /// Samples given.
        samples: usize,
        /// Samples of a block.
        block: usize,
    },
    /// A signal without channels, samples or packets.
    #[error("the signal of bit {0} has no channels, no samples or no schedule")]
    Shape(u8),
    /// No such signal.
    #[error("there is no signal {0}")]
    Signal(usize),
    /// Blocks wait for a master that does not come.
    #[error("{0} samples wait already")]
    Waiting(usize),
}

#[derive(Debug)]
struct Queue {
    source: SourceSignal,
    samples: Vec<f32>,
    /// Samples at the front that are sent.
    sent: usize,
}

impl Queue {
    fn blocks(&self) -> usize {
        (self.samples.len() - self.sent) / self.source.samples()
    }
}

/// Builds version 3 packets from blocks of several signals. Blocks lie in ascending bits whatever the signals' order.
#[derive(Debug)]
pub struct PacketBuilder {
    queues: Vec<Queue>,
    /// Indices of `queues` in ascending bits.
    order: Vec<usize>,
    master: usize,
    next_id: u64,
    waiting_limit: usize,
}

impl PacketBuilder {
    /// A builder whose first packet has the id `first_id`; `limit` are the bytes of a packet at most.
    pub fn new(signals: &[SourceSignal], first_id: u64, limit: usize) -> Result<Self, BuildError> {
        let masters: Vec<_> =
            (0..).zip(signals).filter(|(_, signal)| signal.pace == Pace::Master).map(|(i, _)| i).collect();
        let &[master] = masters.as_slice() else { return Err(BuildError::Masters(masters.len())) };
        let mut order: Vec<usize> = (0..signals.len()).collect();
        order.sort_by_key(|&index| signals.get(index).map(|source| source.signal));
        let mut flags = 0_u32;
        for source in signals {
            let bit = source.signal.bit();
            if flags & source.signal.mask() != 0 {
                return Err(BuildError::Duplicate(bit));
            }
            flags |= source.signal.mask();
            let scheduled = !matches!(source.pace, Pace::Scheduled { blocks, packets } if blocks == 0 || packets == 0);
            if source.samples() == 0 || !scheduled {
                return Err(BuildError::Shape(bit));
            }
        }
        let samples: usize = signals.iter().map(SourceSignal::samples).sum();
        let bytes = FIXED_V3 + 4 * signals.len() + 4 * samples;
        if bytes > limit {
            return Err(BuildError::Limit { bytes, limit });
        }
        let queues = signals.iter().map(|&source| Queue { source, samples: Vec::new(), sent: 0 }).collect();
        Ok(Self { queues, order, master, next_id: first_id, waiting_limit: (limit / 4).max(1 << 20) })
    }

    /// Takes whole blocks of a signal, each channel after channel.
    pub fn push(&mut self, signal: usize, samples: &[f32]) -> Result<(), BuildError> {
        let limit = self.waiting_limit;
        let queue = self.queues.get_mut(signal).ok_or(BuildError::Signal(signal))?;
        let block = queue.source.samples();
        if !samples.len().is_multiple_of(block) {
            return Err(BuildError::Samples { samples: samples.len(), block });
        }
        let waiting = queue.samples.len() - queue.sent;
        if waiting > 0 && waiting + samples.len() > limit {
            return Err(BuildError::Waiting(waiting));
        }
        queue.samples.extend_from_slice(samples);
        Ok(())
    }

    /// Packets that the master's blocks make.
    pub fn packets(&self) -> usize {
        self.queues.get(self.master).map_or(0, Queue::blocks)
    }

    /// Id of the next packet.
    pub fn next_id(&self) -> u64 {
        self.next_id
    }

    /// Bytes that all packets take at most.
    pub fn byte_length(&self) -> usize {
        let heads = self.packets() * (FIXED_V3 + 4 * self.queues.len());
        heads + self.queues.iter().map(|queue| 4 * (queue.samples.len() - queue.sent)).sum::<usize>()
    }

    /// Bytes that all packets take at most when the master gets so many samples more.
    pub fn byte_length_with(&self, samples: usize) -> usize {
        let master = self.queues.get(self.master).map_or(1, |queue| queue.source.samples());
        self.byte_length() + samples / master * (FIXED_V3 + 4 * self.queues.len()) + 4 * samples
    }

    /// Appends a packet for each of the master's blocks; `timestamps` are their times (a missing one repeats the last).
    ///
    /// Buffered signals are spread evenly over the packets.
    pub fn build(&mut self, timestamps: &[f64], out: &mut Vec<u8>) {
        let start = out.len();
        out.resize(start + self.byte_length(), 0);
        let written = self.fill(&[], timestamps, out.get_mut(start..).unwrap_or(&mut []));
        out.truncate(start + written);
    }

    /// Takes whole blocks of the master and writes the packets of all its blocks, as [`PacketBuilder::build`] does;
    /// gives their bytes. `out` has at least [`PacketBuilder::byte_length_with`] bytes.
    pub fn build_from(&mut self, samples: &[f32], timestamps: &[f64], out: &mut [u8]) -> Result<usize, BuildError> {
        let expected = self.byte_length_with(samples.len());
        if out.len() < expected {
            return Err(BuildError::Room { expected, actual: out.len() });
        }
        let master = self.master;
        let Some(queue) = self.queues.get(master) else { return Err(BuildError::Signal(master)) };
        let block = queue.source.samples();
        if queue.samples.is_empty() && samples.len().is_multiple_of(block) {
            return Ok(self.fill(samples, timestamps, out));
        }
        self.push(master, samples)?;
        Ok(self.fill(&[], timestamps, out))
    }

    /// Writes all packets; the master's blocks are `direct`, or those that wait where there is none.
    fn fill(&mut self, direct: &[f32], timestamps: &[f64], out: &mut [u8]) -> usize {
        if let [alone] = self.queues.as_mut_slice() {
            let packets = alone.send_alone(direct, self.next_id, timestamps, out);
            self.next_id = self.next_id.wrapping_add(packets as u64);
            return packets * (HEAD_ALONE + 4 * alone.source.samples());
        }
        let mut waiting: Vec<usize> = self.queues.iter().map(Queue::blocks).collect();
        if let (false, Some(blocks), Some(queue)) =
            (direct.is_empty(), waiting.get_mut(self.master), self.queues.get(self.master))
        {
            *blocks = direct.len() / queue.source.samples();
        }
        let packets = waiting.get(self.master).copied().unwrap_or(0);
        let mut blocks = Vec::with_capacity(self.queues.len());
        let mut parts = Vec::with_capacity(self.queues.len());
        let mut timestamp = 0;
        let mut place = Place { out, at: 0 };
        for packet in 0..packets {
            timestamp = timestamps.get(packet).map_or(timestamp, |&time| time as u64);
            blocks.clear();
            parts.clear();
            let (mut flags, mut samples) = (0_u32, 0);
            for &index in &self.order {
                let (Some(queue), Some(&waiting)) = (self.queues.get(index), waiting.get(index)) else { continue };
                let source = &queue.source;
                let count = match source.pace {
                    Pace::Master => 1,
                    Pace::Buffered => {
                        let due = (packet + 1) * waiting / packets - packet * waiting / packets;
                        queue.blocks().min(due)
                    }
                    Pace::Scheduled { blocks, packets } => queue.blocks().min(due(self.next_id, blocks, packets)),
                };
                let count = count.min(usize::from(u16::MAX / source.blocksize));
                if count > 0 {
                    flags |= source.signal.mask();
                    let blocksize = source.blocksize * count as u16;
                    blocks.push(Block { bit: source.signal.bit(), channels: source.channels, blocksize });
                    parts.push((index, count));
                    samples += count * source.samples();
                }
            }
            let id = self.next_id;
            let header =
                PacketHeader { packet_id: id, connection_packet_number: id, timestamp, ..PacketHeader::default() };
            place.put(PacketHead::new(&header, flags, &blocks, 4 * samples).bytes());
            for &(index, count) in &parts {
                let direct = if index == self.master { direct } else { &[] };
                if let Some(queue) = self.queues.get_mut(index) {
                    queue.send(direct, count, &mut place);
                }
            }
            self.next_id = id.wrapping_add(1);
        }
        for queue in &mut self.queues {
            queue.samples.drain(..queue.sent.min(queue.samples.len()));
            queue.sent = 0;
        }
        place.at
    }
}

/// Bytes of a packet of one signal before its samples.
const HEAD_ALONE: usize = FIXED_V3 + 4;

/// Where packets are written.
struct Place<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Place<'_> {
    #[inline]
    fn put(&mut self, bytes: &[u8]) {
        let end = self.at + bytes.len();
        if let Some(place) = self.out.get_mut(self.at..end) {
            copy_run(bytes, place);
            self.at = end;
        }
    }
}

impl Queue {
    /// Writes a packet for each block of the only signal, from `direct` where it is not empty; gives how many.
    ///
    /// Their heads differ in number and time alone: one loop over equal pieces, as the decoder's.
    fn send_alone(&mut self, direct: &[f32], first_id: u64, timestamps: &[f64], out: &mut [u8]) -> usize {
        let SourceSignal { signal, channels, blocksize, .. } = self.source;
        let size = self.source.samples();
        let block = Block { bit: signal.bit(), channels, blocksize };
        let head = PacketHead::new(&PacketHeader::default(), signal.mask(), &[block], 4 * size);
        let Some(&head) = head.bytes().first_chunk::<HEAD_ALONE>() else { return 0 };
        let samples = if direct.is_empty() { &self.samples } else { direct };
        let (mut packets, mut timestamp) = (0, 0);
        for (from, place) in samples.chunks_exact(size).zip(out.chunks_exact_mut(HEAD_ALONE + 4 * size)) {
            let Some((start, to)) = place.split_first_chunk_mut::<HEAD_ALONE>() else { break };
            timestamp = timestamps.get(packets).map_or(timestamp, |&time| time as u64);
            let id = first_id.wrapping_add(packets as u64).to_le_bytes();
            *start = head;
            start[9..17].copy_from_slice(&id);
            start[17..25].copy_from_slice(&id);
            start[25..33].copy_from_slice(&timestamp.to_le_bytes());
            copy_run(bytemuck::cast_slice(from), to);
            packets += 1;
        }
        self.samples.clear();
        packets
    }

    /// Writes `count` blocks as one, from `direct` where it is not empty.
    fn send(&mut self, direct: &[f32], count: usize, out: &mut Place<'_>) {
        let all = count * self.source.samples();
        let samples = if direct.is_empty() { &self.samples } else { direct };
        let from = samples.get(self.sent..self.sent + all).unwrap_or(&[]);
        self.sent += all;
        if count == 1 || self.source.channels == 1 {
            out.put(bytemuck::cast_slice(from));
            return;
        }
        let size = usize::from(self.source.blocksize);
        for channel in 0..usize::from(self.source.channels) {
            for block in from.chunks_exact(self.source.samples()) {
                let run = block.get(channel * size..(channel + 1) * size).unwrap_or(&[]);
                out.put(bytemuck::cast_slice(run));
            }
        }
    }
}

/// Blocks of a scheduled signal in packet `n`.
fn due(n: u64, blocks: u32, packets: u32) -> usize {
    let before = |n: u64| (u128::from(n) * u128::from(blocks)).div_ceil(u128::from(packets));
    (before(n.saturating_add(1)) - before(n)) as usize
}

/// Subtracts `base` from every packet's id and counts the connection's packets by it: what one connection gets of the
/// packets that the server numbers for all.
pub fn renumber(packets: &mut [u8], base: u64) {
    let mut rest = packets;
    while let Some(size) = rest.get(1..5).and_then(|size| size.first_chunk()).map(|&size| u32::from_le_bytes(size)) {
        let Some((packet, behind)) = rest.split_at_mut_checked(size as usize) else { return };
        let Some(numbers) = packet.get_mut(9..25) else { return };
        let (id, number) = numbers.split_at_mut(8);
        let new = id.first_chunk().map_or(0, |&id| u64::from_le_bytes(id)).wrapping_sub(base).to_le_bytes();
        id.copy_from_slice(&new);
        number.copy_from_slice(&new);
        rest = behind;
    }
}

#[cfg(test)]
mod tests;
