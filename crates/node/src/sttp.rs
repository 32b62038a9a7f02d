//! STTP: what publishers and subscribers send, for `ts/sttp`.

mod cipher;
mod command;
mod control;
mod fault;

use measurand_columns::{Block, Status};
use measurand_sttp::{
    BaseTimes, Command, Downlink, DownlinkOptions, Encoder, EncoderOptions, FrameLimits, LatestMeasurements,
    MeasurementRows, OperationalModes, Reasonability, Response, SignalIndexes, Uplink, UplinkError,
};
use napi::Env;
use napi::bindgen_prelude::{BigInt, Buffer, Function, Uint8ArraySlice, Uint32ArraySlice};
use napi_derive::napi;

pub use command::SttpCommand;
pub use control::SttpControl;
pub use fault::SttpFault;

use crate::columns::open_block;
use crate::guard::{Guarded, Result, Shared, error, settle};
use crate::sttp_history::SttpRowTimes;

/// How a downlink reads.
#[napi(object)]
#[derive(Default)]
pub struct SttpDownlinkOptions {
    /// The operational modes that were sent. @default 0xE0000262
    pub modes: Option<u32>,
    /// Bytes of a frame at most, other than those below. @default 1 MiB
    pub frame_bytes: Option<u32>,
    /// Bytes of a signal index cache at most, also decompressed. @default 64 MiB
    pub cache_bytes: Option<u32>,
    /// Bytes of metadata at most, as they come. @default 256 MiB
    pub metadata_bytes: Option<u32>,
    /// Give a control message for every data packet. @default false
    pub report_packets: Option<bool>,
}

/// Reads what a publisher sends.
#[napi]
pub struct SttpDownlink {
    inner: Shared<Downlink>,
}

#[napi]
impl SttpDownlink {
    /// A downlink of one connection.
    #[napi(constructor, catch_unwind)]
    pub fn new(options: Option<SttpDownlinkOptions>) -> Self {
        let given = options.unwrap_or_default();
        let mut options = DownlinkOptions::default();
        let limits: &mut FrameLimits = &mut options.limits;
        for (limit, given) in [
            (&mut limits.frame, given.frame_bytes),
            (&mut limits.cache, given.cache_bytes),
            (&mut limits.metadata, given.metadata_bytes),
        ] {
            if let Some(bytes) = given {
                *limit = bytes as usize;
            }
        }
        if let Some(modes) = given.modes {
            options.modes = OperationalModes(modes);
        }
        options.report_packets = given.report_packets.unwrap_or(false);
        Self { inner: Shared::new(Downlink::new(options)) }
    }

    /// The function that appends the rows of a chunk to a block and gives the block's status; `times` takes those rows too.
    #[napi(catch_unwind, ts_return_type = "(chunk: Uint8Array, block: Uint8Array) => number")]
    pub fn decoder<'env>(
        &mut self,
        env: &'env Env,
        times: Option<&SttpRowTimes>,
    ) -> napi::Result<Function<'env, (), u32>> {
        self.reader(env, "decode", times, |downlink, chunk, block| {
            downlink.decode(chunk, block).map_err(|lost| error(fault::FRAME_LENGTH, lost))
        })
    }

    /// The function that does so with gathered datagrams, `u16 length` (little-endian) before each.
    #[napi(catch_unwind, ts_return_type = "(chunk: Uint8Array, block: Uint8Array) => number")]
    pub fn datagram_decoder<'env>(
        &mut self,
        env: &'env Env,
        times: Option<&SttpRowTimes>,
    ) -> napi::Result<Function<'env, (), u32>> {
        self.reader(env, "decodeDatagrams", times, |downlink, chunk, block| Ok(downlink.decode_datagrams(chunk, block)))
    }

    /// The next control message behind the status 2; null when there is none left.
    #[napi(catch_unwind)]
    pub fn take_control(&mut self) -> Result<Option<SttpControl>> {
        self.inner.call(|downlink| Ok(downlink.take_event().map(control::from_message)))
    }

    /// What is wrong behind the status 3 or 4.
    #[napi(catch_unwind)]
    pub fn take_error(&mut self) -> Result<Option<SttpFault>> {
        self.inner.call(|downlink| Ok(downlink.take_error().map(fault::from_message)))
    }

    /// The signal table's row of each record of the newest cache, in the cache's order.
    #[napi(catch_unwind)]
    pub fn assign_rows(&mut self, rows: &[u32]) -> Result<()> {
        self.inner.call(|downlink| downlink.assign_rows(rows).map_err(|reason| error("ERR_STTP_CACHE_ROWS", reason)))
    }

    /// The operational modes that were sent.
    #[napi(catch_unwind)]
    pub fn set_modes(&mut self, modes: u32) -> Result<()> {
        self.inner.call(|downlink| {
            downlink.set_modes(OperationalModes(modes));
            Ok(())
        })
    }

    /// What the subscription asked for of compact measurements: times, and those in milliseconds.
    #[napi(catch_unwind)]
    pub fn set_time_form(&mut self, include_time: bool, milliseconds: bool) -> Result<()> {
        self.inner.call(|downlink| {
            downlink.set_time_form(include_time, milliseconds);
            Ok(())
        })
    }

    /// Whether TSSC packets cannot be decoded before the publisher starts anew.
    #[napi(getter, catch_unwind)]
    pub fn awaits_reset(&mut self) -> Result<bool> {
        self.inner.call(|downlink| Ok(downlink.awaits_reset()))
    }

    /// The number of the TSSC packet that was decoded last; null while a restart is awaited.
    #[napi(getter, catch_unwind)]
    pub fn last_sequence(&mut self) -> Result<Option<u32>> {
        self.inner.call(|downlink| Ok(downlink.last_sequence().map(u32::from)))
    }

    /// Frames and datagrams taken.
    #[napi(getter, catch_unwind)]
    pub fn messages(&mut self) -> Result<f64> {
        self.inner.call(|downlink| Ok(downlink.messages() as f64))
    }

    /// Datagrams that came behind newer ones, by the times of their signals.
    #[napi(getter, catch_unwind)]
    pub fn late_datagrams(&mut self) -> Result<f64> {
        self.inner.call(|downlink| Ok(downlink.late_datagrams() as f64))
    }

    /// Bytes of a frame that has not come whole.
    #[napi(getter, catch_unwind)]
    pub fn pending_bytes(&mut self) -> Result<u32> {
        self.inner.call(|downlink| Ok(downlink.pending_bytes() as u32))
    }
}

impl SttpDownlink {
    fn reader<'env>(
        &self,
        env: &'env Env,
        name: &str,
        times: Option<&SttpRowTimes>,
        read: impl Fn(&mut Downlink, &[u8], Block<'_>) -> Result<Status> + 'static,
    ) -> napi::Result<Function<'env, (), u32>> {
        let inner = self.inner.clone();
        let times = times.map(SttpRowTimes::share);
        env.create_function_from_closure(name, move |call| {
            let (chunk, mut block) = (call.get::<&[u8]>(0)?, call.get::<Uint8ArraySlice<'_>>(1)?);
            let status = inner.call(|downlink| {
                // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
                let bytes = unsafe { block.as_mut() };
                let block = open_block(bytes)?;
                let first = block.len();
                let status = read(downlink, chunk, block)?;
                if let Some(times) = &times {
                    times.observe(&open_block(bytes)?, first)?;
                }
                Ok(status)
            });
            settle(*call.env, status.map(|status| status as u32))
        })
    }
}

/// Reads what a subscriber sends.
#[napi]
pub struct SttpUplink {
    inner: Guarded<UplinkState>,
}

struct UplinkState {
    uplink: Uplink,
    ready: std::collections::VecDeque<SttpCommand>,
    is_lost: bool,
}

#[napi]
impl SttpUplink {
    /// An uplink of one connection whose frames have so many bytes at most. @default 1 MiB
    #[napi(constructor, catch_unwind)]
    pub fn new(limit: Option<u32>) -> Self {
        let uplink = Uplink::new(limit.map_or(1 << 20, |bytes| bytes as usize));
        Self { inner: Guarded::new(UplinkState { uplink, ready: std::collections::VecDeque::new(), is_lost: false }) }
    }

    /// Reads a chunk to its end; gives how many commands wait. Those that cannot be understood are among them with the
    /// type `malformed`, a lost framing with the type `lost`: then every later call throws.
    #[napi(catch_unwind)]
    pub fn decode(&mut self, chunk: &[u8]) -> Result<u32> {
        self.inner.call(|state| {
            if state.is_lost {
                return Err(error(fault::FRAME_LENGTH, "framing is lost"));
            }
            let mut position = 0;
            loop {
                match state.uplink.next(chunk, &mut position) {
                    Ok(Some(received)) => state.ready.push_back(command::from_received(received)),
                    Ok(None) => break,
                    Err(wrong) => {
                        state.is_lost = matches!(wrong, UplinkError::Frame(_));
                        state.ready.push_back(command::from_error(&wrong));
                        if state.is_lost {
                            break;
                        }
                    }
                }
            }
            Ok(state.ready.len() as u32)
        })
    }

    /// The next command; null when there is none left.
    #[napi(catch_unwind)]
    pub fn take_command(&mut self) -> Result<Option<SttpCommand>> {
        self.inner.call(|state| Ok(state.ready.pop_front()))
    }

    /// Bytes of a frame that has not come whole.
    #[napi(getter, catch_unwind)]
    pub fn pending_bytes(&mut self) -> Result<u32> {
        self.inner.call(|state| Ok(state.uplink.pending_bytes() as u32))
    }
}

/// Writes measurements as data packets, for one subscriber or for several who share cache, format and start.
#[napi]
pub struct SttpEncoder {
    inner: Shared<Encoder>,
}

#[napi]
impl SttpEncoder {
    /// An encoder for these operational modes; compact measurements with times, and those in milliseconds; values that are
    /// NaN left out; times never counted from the second base.
    #[napi(constructor, catch_unwind)]
    pub fn new(
        modes: u32,
        include_time: bool,
        milliseconds: bool,
        filter_nan: Option<bool>,
        one_base_time: Option<bool>,
    ) -> Self {
        let options = EncoderOptions {
            modes: OperationalModes(modes),
            include_time,
            milliseconds,
            filter_nan: filter_nan.unwrap_or(false),
            one_base_time: one_base_time.unwrap_or(false),
        };
        Self { inner: Shared::new(Encoder::new(options)) }
    }

    /// Uses a cache from now on: the signal table's row of each record, which of the two caches it is, and the records'
    /// wire indexes, without which they count from 0. TSSC starts anew.
    #[napi(catch_unwind)]
    pub fn set_signals(&mut self, rows: &[u32], cache_index: u32, indexes: Option<&[i32]>) -> Result<()> {
        self.inner.call(|encoder| {
            let rows = rows.iter().copied();
            let indexes: SignalIndexes = match indexes {
                Some(indexes) => rows.zip(indexes.iter().copied()).collect(),
                None => rows.zip(0..).collect(),
            };
            encoder.use_cache(u8::from(cache_index != 0), indexes);
            Ok(())
        })
    }

    /// Keeps compact packets short: their frames have at most so many bytes, with the 4 of their length.
    #[napi(catch_unwind)]
    pub fn limit_frames(&mut self, bytes: u32) -> Result<()> {
        self.inner.call(|encoder| {
            encoder.limit_frames(bytes as usize);
            Ok(())
        })
    }

    /// Starts TSSC anew.
    #[napi(catch_unwind)]
    pub fn reset(&mut self) -> Result<()> {
        self.inner.call(|encoder| {
            encoder.restart();
            Ok(())
        })
    }

    /// Sets the ticks that compact measurements count from, and gives the frame that says so.
    #[napi(catch_unwind)]
    pub fn set_base_times(&mut self, time_index: u32, first: BigInt, second: BigInt) -> Result<Buffer> {
        self.inner.call(|encoder| {
            let mut frame = Vec::new();
            let times = BaseTimes { time_index, ticks: [first.get_u64().1, second.get_u64().1] };
            encoder.set_base_times(times, &mut frame);
            Ok(frame.into())
        })
    }

    /// Moves the base times on where the block's measurements could not count from them, and gives the frame that says so.
    /// The real time is `now`, ticks, or the later of the block's first and last where that is null.
    #[napi(catch_unwind)]
    pub fn rotate_base_times(&mut self, mut block: Uint8ArraySlice<'_>, now: Option<BigInt>) -> Result<Option<Buffer>> {
        self.inner.call(|encoder| {
            let now = if let Some(ticks) = now {
                ticks.get_u64().1
            } else {
                // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
                let bytes = unsafe { block.as_mut() };
                let block = open_block(bytes)?;
                MeasurementRows::of(&block).recent_ticks()
            };
            let mut frame = Vec::new();
            Ok(encoder.rotate_base_times(now, &mut frame).then(|| frame.into()))
        })
    }

    /// The function that writes frames of a block's rows from `firstRow` on into `out` from `start` on, as many as fit whole;
    /// it gives the rows taken, 0 where `out` has no room for a frame (32,786 bytes). `result` gets the bytes written, the measurements in
    /// them, and how many were left out as NaN: rows taken beyond these are of other signals.
    #[napi(
        catch_unwind,
        ts_return_type = "(block: Uint8Array, firstRow: number, out: Uint8Array, start: number, result: Uint32Array) => number"
    )]
    pub fn writer<'env>(&mut self, env: &'env Env) -> napi::Result<Function<'env, (), u32>> {
        let inner = self.inner.clone();
        env.create_function_from_closure("encode", move |call| {
            let (mut block, first_row) = (call.get::<Uint8ArraySlice<'_>>(0)?, call.get::<u32>(1)?);
            let (mut out, start) = (call.get::<Uint8ArraySlice<'_>>(2)?, call.get::<u32>(3)?);
            let mut result = call.get::<Uint32ArraySlice<'_>>(4)?;
            let rows = inner.call(|encoder| {
                // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
                let bytes = unsafe { block.as_mut() };
                let block = open_block(bytes)?;
                let rows = MeasurementRows::of(&block).from(first_row as usize);
                // SAFETY: the publisher owns both; `out` is not given out before this call is over.
                let (out, result) = unsafe { (out.as_mut(), result.as_mut()) };
                let [bytes, measurements, rest @ ..] = result else {
                    return Err(error("ERR_SESSION_BLOCK_BYTES", "the result has two words"));
                };
                let filtered = encoder.filtered();
                let encoded = encoder.encode(&rows, out.get_mut(start as usize..).unwrap_or_default());
                *bytes = encoded.bytes as u32;
                *measurements = encoded.measurements as u32;
                if let [left_out, ..] = rest {
                    *left_out = (encoder.filtered() - filtered) as u32;
                }
                Ok(encoded.rows as u32)
            });
            settle(*call.env, rows)
        })
    }
}

/// The latest measurement of each signal, for throttled subscriptions.
#[napi]
pub struct SttpLatestMeasurements {
    inner: Guarded<LatestMeasurements>,
}

#[napi]
#[allow(clippy::new_without_default, reason = "JavaScript has no defaults")]
impl SttpLatestMeasurements {
    /// Without any.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self { inner: Guarded::new(LatestMeasurements::new()) }
    }

    /// Takes the block's measurements.
    #[napi(catch_unwind)]
    pub fn update(&mut self, mut block: Uint8ArraySlice<'_>) -> Result<()> {
        self.inner.call(|latest| {
            // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
            let bytes = unsafe { block.as_mut() };
            let block = open_block(bytes)?;
            latest.update(&MeasurementRows::of(&block));
            Ok(())
        })
    }

    /// The latest time of all, ticks; 0 where there is none.
    #[napi(getter, catch_unwind)]
    pub fn latest_ticks(&mut self) -> Result<BigInt> {
        self.inner.call(|latest| Ok(latest.latest_ticks().into()))
    }

    /// Appends the latest of the signals to a block; gives how many signals were looked at. Where `real_time` is given,
    /// times more than `lag` earlier or `lead` later make NaN of a value (all in ticks).
    #[napi(catch_unwind)]
    pub fn write(
        &mut self,
        signals: &[u32],
        mut block: Uint8ArraySlice<'_>,
        real_time: Option<BigInt>,
        lag: f64,
        lead: f64,
    ) -> Result<u32> {
        self.inner.call(|latest| {
            // SAFETY: ts/batch/block.ts owns the buffer and no other thread has it.
            let bytes = unsafe { block.as_mut() };
            let mut block = open_block(bytes)?;
            let reasonability = real_time.map(|ticks| Reasonability {
                real_time: ticks.get_u64().1,
                lag: lag as u64,
                lead: lead as u64,
            });
            let looked = latest.write(signals, reasonability, &mut block);
            block.close(Status::NeedMore, 0, 0);
            Ok(looked as u32)
        })
    }
}

/// The frame of a command.
#[napi(catch_unwind)]
pub fn sttp_write_command(command: SttpCommand) -> Result<Buffer> {
    let mut frame = Vec::new();
    Command::try_from(command)?.write(&mut frame);
    Ok(frame.into())
}

/// The frame of a response; `modes` say how a signal index cache is written.
#[napi(catch_unwind)]
pub fn sttp_write_response(response: SttpControl, modes: u32) -> Result<Buffer> {
    let mut frame = Vec::new();
    Response::try_from(response)?.write(OperationalModes(modes), &mut frame);
    Ok(frame.into())
}

/// The names of the codes 0x80 to 0xFF of responses and of the others of commands.
#[napi(catch_unwind)]
pub fn sttp_code_name(code: u32) -> String {
    let code = code as u8;
    match (code, code & 15) {
        (0xD0..=0xDF, number) => format!("UserCommand{number:02}"),
        (0xE0..=0xEF, number) => format!("UserResponse{number:02}"),
        (0x80.., _) => measurand_sttp::ResponseCode(code).name().to_owned(),
        _ => measurand_sttp::CommandCode(code).name().to_owned(),
    }
}
