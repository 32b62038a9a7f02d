use measurand_columns::Status;

use crate::framer::{Framer, FramerOptions, Head};
use crate::packet::bits;
use crate::samples::copy_samples;
use crate::stop::Stop;
use crate::{Arrival, Block, Notice, PacketBlock, PacketError, Sequence};

/// What both decoders do with a packet before they take its samples: its id and the order of its blocks.
#[derive(Debug)]
pub(crate) struct Inspection {
    sequence: Sequence,
    /// The signals of the meta info in its order.
    document: Vec<Block>,
    /// Shapes of the packet at the front with bits set right, and the framer's generation that they belong to.
    blocks: Vec<Block>,
    generation: u64,
    /// Whether the packet at the front has been looked at.
    checked: bool,
    order_told: bool,
}

/// What follows from a look at a packet.
pub(crate) enum Verdict {
    Take,
    /// Say it, then take the packet.
    Say(Notice),
    /// Say it, and leave the packet out.
    Skip(Notice),
}

impl Inspection {
    pub(crate) fn new(document: Vec<Block>) -> Self {
        Self {
            sequence: Sequence::default(),
            document,
            blocks: Vec::new(),
            generation: 0,
            checked: false,
            order_told: false,
        }
    }

    /// Shapes of the packet at the front.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    #[inline]
    pub(crate) fn look(&mut self, head: &Head, framer: &Framer) -> Verdict {
        if self.checked {
            return Verdict::Take;
        }
        if self.generation != framer.generation()
            && let Some(notice) = self.set_blocks(head.header.flags, framer)
        {
            return Verdict::Say(notice);
        }
        self.checked = true;
        let id = head.header.packet_id;
        match self.sequence.take(id) {
            Arrival::Next => Verdict::Take,
            Arrival::Gap { first, last } => Verdict::Say(Notice::Gap { first, last }),
            Arrival::Late => Verdict::Say(Notice::Late { id, samples: head.samples as u64 }),
            Arrival::Restart => Verdict::Say(Notice::Restart { id }),
            Arrival::Duplicate => {
                self.checked = false;
                Verdict::Skip(Notice::Duplicate { id, samples: head.samples as u64 })
            }
        }
    }

    /// Goes on to the next packet.
    #[inline]
    pub(crate) fn done(&mut self) {
        self.checked = false;
    }

    /// Goes over packets whose ids follow.
    #[inline]
    pub(crate) fn follow(&mut self, packets: u64) {
        self.sequence.follow(packets);
    }

    /// Sets the bits right where a server writes its blocks in the meta info's order (pytia does).
    #[cold]
    fn set_blocks(&mut self, flags: u32, framer: &Framer) -> Option<Notice> {
        self.generation = framer.generation();
        self.blocks.clear();
        self.blocks.extend_from_slice(framer.blocks());
        let all = self.document.iter().fold(0_u32, |flags, block| flags | 1 << (block.bit & 31));
        let ascending = self.document.is_sorted_by_key(|block| block.bit);
        if ascending || flags != all || self.document.len() != self.blocks.len() {
            return None;
        }
        let shape = |block: &Block| (block.channels, block.blocksize);
        let fits = |order: &mut dyn Iterator<Item = (u16, u16)>| self.blocks.iter().map(shape).eq(order);
        let in_document_order = fits(&mut self.document.iter().map(shape));
        let by_bit = |bit: u8| self.document.iter().find(|block| block.bit == bit).map_or((0, 0), shape);
        let in_bit_order = fits(&mut bits(flags).map(by_bit));
        let notice = match (in_document_order, in_bit_order) {
            (true, false) => {
                self.blocks.clone_from(&self.document);
                Notice::OrderCorrected
            }
            (true, true) => Notice::OrderAmbiguous,
            _ => return None,
        };
        (!core::mem::replace(&mut self.order_told, true)).then_some(notice)
    }
}

/// Reads a data connection into packet blocks.
///
/// Take the rows first, then the notice or the error that the status names, then call again with the rest of the chunk.
#[derive(Debug)]
pub struct PacketDecoder {
    framer: Framer,
    inspection: Inspection,
    stop: Stop,
}

impl PacketDecoder {
    /// A decoder; `document` are the meta info's signals in its order, by which a wrong order of blocks is detected.
    pub fn new(options: FramerOptions, document: Vec<Block>) -> Self {
        let (framer, inspection) = (Framer::new(options), Inspection::new(document));
        Self { framer, inspection, stop: Stop::default() }
    }

    /// What the decoder stopped for with [`Status::Control`].
    pub fn take_notice(&mut self) -> Option<Notice> {
        self.stop.notice.take()
    }

    /// What it stopped for with [`Status::Malformed`] or [`Status::Lost`], and how many bytes are lost with it: the
    /// datagram, or all that is there of the stream.
    pub fn take_error(&mut self) -> Option<(PacketError, usize)> {
        self.stop.error.take()
    }

    /// Whether framing was lost: a new connection is needed.
    pub fn is_lost(&self) -> bool {
        self.stop.lost
    }

    /// The version of the packets; [`crate::Version::Auto`] until the first is whole.
    pub fn version(&self) -> crate::Version {
        self.framer.version()
    }

    /// Bytes held of a packet that is not whole yet.
    pub fn pending(&self) -> usize {
        self.framer.pending()
    }

    /// Appends the packets of a chunk; gives the status and how many bytes of the chunk it took.
    ///
    /// [`Status::Full`] with an empty block means that the block has too few samples for the next packet.
    pub fn decode(&mut self, chunk: &[u8], block: &mut PacketBlock<'_>) -> (Status, usize) {
        let mut at = 0;
        let status = if self.stop.lost { Status::Lost } else { self.fill(chunk, &mut at, block) };
        (status, at)
    }

    fn fill(&mut self, chunk: &[u8], at: &mut usize, block: &mut PacketBlock<'_>) -> Status {
        let order = self.framer.options().order;
        loop {
            let head = match self.framer.next(chunk, at) {
                Ok(Some(head)) => head,
                Ok(None) => return Status::NeedMore,
                Err(error) => return self.stop.fail(&self.framer, error, chunk, at),
            };
            match self.inspection.look(&head, &self.framer) {
                Verdict::Take => {}
                Verdict::Say(notice) => {
                    return self.stop.say(notice);
                }
                Verdict::Skip(notice) => {
                    self.framer.advance(&head, at);
                    return self.stop.say(notice);
                }
            }
            let blocks = self.inspection.blocks();
            let bytes = self.framer.bytes(&head, chunk, *at);
            let samples = bytes.get(head.prefix..).unwrap_or(&[]);
            let fill = |to: &mut [u8]| copy_samples(order, blocks, samples, to);
            if !block.push(&head.header, blocks, self.inspection.generation(), head.samples, fill) {
                block.want(head.samples);
                return Status::Full;
            }
            self.framer.advance(&head, at);
            self.inspection.done();
            if let Some(alike) = self.framer.alike(&head) {
                let packets = block.push_alike(chunk.get(*at..).unwrap_or(&[]), &alike);
                *at += packets * head.header.size as usize;
                self.inspection.follow(packets as u64);
            }
        }
    }
}

#[cfg(test)]
pub(crate) mod tests;
