use crate::Block;
use crate::framer::SampleOrder;

/// Copies the samples of a packet, channel after channel whatever the order on the wire.
#[inline]
pub(crate) fn copy_samples(order: SampleOrder, blocks: &[Block], from: &[u8], to: &mut [u8]) {
    if order == SampleOrder::SampleMajor {
        turn_samples(blocks, from, to);
        return;
    }
    copy_pieces(from, to);
}

/// Copies the samples of a packet; few of them without a call.
#[inline]
pub(crate) fn copy_run(from: &[u8], to: &mut [u8]) {
    match from.len() {
        4 => copy_fixed::<4>(from, to),
        8 => copy_fixed::<8>(from, to),
        16 => copy_fixed::<16>(from, to),
        32 => copy_fixed::<32>(from, to),
        64 => copy_fixed::<64>(from, to),
        128 => copy_fixed::<128>(from, to),
        _ => copy_pieces(from, to),
    }
}

#[inline]
fn copy_fixed<const N: usize>(from: &[u8], to: &mut [u8]) {
    if let (Some(from), Some(to)) = (from.first_chunk::<N>(), to.first_chunk_mut::<N>()) {
        *to = *from;
    }
}

/// Bytes that are copied at once: above, the C library copies by `rep movsb`, which is slow where the source is not
/// aligned, and a packet's samples never are.
const PIECE: usize = 2048;

/// Copies as many bytes as both have.
#[inline]
pub(crate) fn copy_pieces(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.chunks_mut(PIECE).zip(from.chunks(PIECE)) {
        to.copy_from_slice(from);
    }
}

#[cold]
fn turn_samples(blocks: &[Block], from: &[u8], to: &mut [u8]) {
    let mut start = 0;
    for block in blocks {
        let (channels, size, end) = (block.channels as usize, block.blocksize as usize, start + 4 * block.samples());
        let (Some(from), Some(to)) = (from.get(start..end), to.get_mut(start..end)) else { return };
        for (sample, frame) in from.chunks_exact((4 * channels).max(1)).enumerate() {
            for (channel, value) in frame.chunks_exact(4).enumerate() {
                let at = 4 * (channel * size + sample);
                if let Some(place) = to.get_mut(at..at + 4) {
                    place.copy_from_slice(value);
                }
            }
        }
        start = end;
    }
}
