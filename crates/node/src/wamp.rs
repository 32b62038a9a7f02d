use std::ffi::c_void;
use std::ptr::null_mut;

use measurand_wamp::{
    Builder, CborReader, CborWriter, Format, Head, Limits, MessagePackReader, MessagePackWriter, ReadError, Token,
    Write, read_value,
};
use napi::bindgen_prelude::{Float64Array, Uint8ArraySlice, Unknown};
use napi::{Env, JsValue, sys};
use napi_derive::napi;

use crate::guard::{Result, error};

/// What a value goes wrong with.
const MALFORMED: &str = "ERR_SISOCK_MESSAGE_MALFORMED";
const VALUE: &str = "ERR_SISOCK_MESSAGE_VALUE";

fn format(code: u32) -> Result<Format> {
    match code {
        0 => Ok(Format::Json),
        1 => Ok(Format::MessagePack),
        2 => Ok(Format::Cbor),
        _ => Err(error(VALUE, format!("there is no format {code}"))),
    }
}

/// Reads a whole message: 1 `MessagePack`, 2 CBOR. Arrays of at least `doubles` numbers become `Float64Array`s (0: none).
#[napi(catch_unwind, ts_return_type = "unknown")]
pub fn read_message<'env>(
    env: &'env Env,
    format_code: u32,
    bytes: Uint8ArraySlice<'_>,
    depth: u32,
    doubles: u32,
) -> Result<Unknown<'env>> {
    let limits = Limits { depth: depth.clamp(1, 500) as usize, doubles: doubles as usize };
    let mut builder = JsBuilder { env: env.raw() };
    let value = match format(format_code)? {
        Format::Json => return Err(error(VALUE, "JSON is read by JSON.parse")),
        Format::MessagePack => read_value(&mut MessagePackReader::new(&bytes), &mut builder, limits),
        Format::Cbor => read_value(&mut CborReader::new(&bytes), &mut builder, limits),
    };
    match value {
        // SAFETY: the value was made in this call, under the environment's current handle scope.
        Ok(value) => Ok(unsafe { Unknown::from_raw_unchecked(env.raw(), value) }),
        Err(JsError::Read(reason)) => Err(error(MALFORMED, reason)),
        Err(JsError::Js) => Err(error(VALUE, "the engine refused to make a value")),
    }
}

/// Writes a message into `out`, as far as it fits: 1 `MessagePack`, 2 CBOR. Gives the bytes that it takes.
#[napi(catch_unwind)]
pub fn write_message(
    env: &Env,
    format_code: u32,
    #[napi(ts_arg_type = "unknown")] value: Unknown<'_>,
    mut out: Uint8ArraySlice<'_>,
) -> Result<f64> {
    // SAFETY: the caller (ts/sisock/codec.ts) owns the buffer; getters of the value may run but cannot reach it.
    let buffer = unsafe { out.as_mut() };
    let js = Js { env: env.raw() };
    let length = match format(format_code)? {
        Format::Json => return Err(error(VALUE, "JSON is written by JSON.stringify")),
        Format::MessagePack => {
            let mut writer = MessagePackWriter::new(buffer);
            js.write(value.raw(), &mut writer, 0)?;
            writer.length()
        }
        Format::Cbor => {
            let mut writer = CborWriter::new(buffer);
            js.write(value.raw(), &mut writer, 0)?;
            writer.length()
        }
    };
    Ok(length as f64)
}

/// Finds the items of a message (0 JSON, 1 `MessagePack`, 2 CBOR), checks that it is well formed, and gives its type.
///
/// `out` has 20 places: the number of items; where the last one ends; start and end of items 0 to 6; items 1 and 2 where
/// they are integers; start and end of the characters of item 3 where it is text. What is not there is NaN.
#[napi(catch_unwind)]
pub fn message_head(format_code: u32, bytes: Uint8ArraySlice<'_>, depth: u32, mut out: Float64Array) -> Result<f64> {
    let format = format(format_code)?;
    let head = Head::read(format, &bytes, depth.clamp(1, 500) as usize).map_err(|reason| error(MALFORMED, reason))?;
    // SAFETY: the caller (ts/sisock/codec.ts) owns the array and nobody else has it.
    let out = unsafe { out.as_mut() };
    let text = head.text(format, &bytes, 3);
    let ranges = (0..7).flat_map(|index| {
        let range = head.item(index);
        [range.as_ref().map(|range| range.start), range.map(|range| range.end)]
    });
    let numbers = [1, 2].map(|index| head.number(format, &bytes, index).map(|number| number as f64));
    let places = [Some(head.count as f64), Some(head.end as f64)]
        .into_iter()
        .chain(ranges.map(|place| place.map(|place| place as f64)))
        .chain(numbers)
        .chain([text.as_ref().map(|range| range.start as f64), text.map(|range| range.end as f64)]);
    for (place, value) in out.iter_mut().zip(places) {
        *place = value.unwrap_or(f64::NAN);
    }
    Ok(head.kind as f64)
}

enum JsError {
    Read(ReadError),
    Js,
}

impl From<ReadError> for JsError {
    fn from(reason: ReadError) -> Self {
        Self::Read(reason)
    }
}

/// Makes JavaScript values.
struct JsBuilder {
    env: sys::napi_env,
}

impl JsBuilder {
    /// Calls what makes a value.
    fn make(
        call: impl FnOnce(*mut sys::napi_value) -> sys::napi_status,
    ) -> std::result::Result<sys::napi_value, JsError> {
        let mut value = null_mut();
        if call(&raw mut value) == sys::Status::napi_ok { Ok(value) } else { Err(JsError::Js) }
    }

    fn text(&self, text: &str) -> std::result::Result<sys::napi_value, JsError> {
        // SAFETY: the environment is that of the running call, the text lives through it.
        Self::make(|out| unsafe {
            sys::napi_create_string_utf8(self.env, text.as_ptr().cast(), text.len() as isize, out)
        })
    }
}

const SAFE: u64 = 1 << 53;

impl Builder for JsBuilder {
    type Value = sys::napi_value;
    type Array = sys::napi_value;
    type Map = sys::napi_value;
    type Error = JsError;

    fn scalar(&mut self, token: Token<'_>) -> std::result::Result<sys::napi_value, JsError> {
        let env = self.env;
        // SAFETY: the environment is that of the running call; what is pointed to lives through it; the bytes are copied.
        unsafe {
            match token {
                Token::Bool(value) => Self::make(|out| sys::napi_get_boolean(env, value, out)),
                Token::Unsigned(value) if value <= SAFE => {
                    Self::make(|out| sys::napi_create_double(env, value as f64, out))
                }
                Token::Unsigned(value) => Self::make(|out| sys::napi_create_bigint_uint64(env, value, out)),
                Token::Signed(value) if value.unsigned_abs() <= SAFE => {
                    Self::make(|out| sys::napi_create_double(env, value as f64, out))
                }
                Token::Signed(value) => Self::make(|out| sys::napi_create_bigint_int64(env, value, out)),
                Token::Float(value) => Self::make(|out| sys::napi_create_double(env, value, out)),
                Token::Text(text) => self.text(&text),
                Token::Bytes(bytes) => {
                    let mut data = null_mut();
                    Self::make(|out| {
                        sys::napi_create_buffer_copy(env, bytes.len(), bytes.as_ptr().cast(), &raw mut data, out)
                    })
                }
                _ => Self::make(|out| sys::napi_get_null(env, out)),
            }
        }
    }

    fn array(&mut self, length: usize) -> std::result::Result<sys::napi_value, JsError> {
        // SAFETY: the environment is that of the running call.
        Self::make(|out| unsafe { sys::napi_create_array_with_length(self.env, length, out) })
    }

    fn item(
        &mut self,
        array: &mut sys::napi_value,
        index: usize,
        value: sys::napi_value,
    ) -> std::result::Result<(), JsError> {
        // SAFETY: array and value were made in this call.
        let status = unsafe { sys::napi_set_element(self.env, *array, index as u32, value) };
        if status == sys::Status::napi_ok { Ok(()) } else { Err(JsError::Js) }
    }

    fn end_array(&mut self, array: sys::napi_value) -> std::result::Result<sys::napi_value, JsError> {
        Ok(array)
    }

    fn map(&mut self) -> std::result::Result<sys::napi_value, JsError> {
        // SAFETY: the environment is that of the running call.
        Self::make(|out| unsafe { sys::napi_create_object(self.env, out) })
    }

    fn pair(
        &mut self,
        map: &mut sys::napi_value,
        key: &str,
        value: sys::napi_value,
    ) -> std::result::Result<(), JsError> {
        let name = self.text(key)?;
        // SAFETY: map, name and value were made in this call.
        let status = unsafe {
            if key == "__proto__" {
                // Defined, as JSON.parse does: setting it would change the object's prototype.
                let property = sys::napi_property_descriptor {
                    utf8name: std::ptr::null(),
                    name,
                    method: None,
                    getter: None,
                    setter: None,
                    value,
                    attributes: sys::PropertyAttributes::writable
                        | sys::PropertyAttributes::enumerable
                        | sys::PropertyAttributes::configurable,
                    data: null_mut(),
                };
                sys::napi_define_properties(self.env, *map, 1, &raw const property)
            } else {
                sys::napi_set_property(self.env, *map, name, value)
            }
        };
        if status == sys::Status::napi_ok { Ok(()) } else { Err(JsError::Js) }
    }

    fn end_map(&mut self, map: sys::napi_value) -> std::result::Result<sys::napi_value, JsError> {
        Ok(map)
    }

    fn doubles(
        &mut self,
        length: usize,
        fill: &mut dyn FnMut(&mut [f64]) -> std::result::Result<bool, ReadError>,
    ) -> std::result::Result<Option<sys::napi_value>, JsError> {
        let mut data: *mut c_void = null_mut();
        // SAFETY: the environment is that of the running call.
        let buffer = Self::make(|out| unsafe {
            sys::napi_create_arraybuffer(self.env, length * size_of::<f64>(), &raw mut data, out)
        })?;
        if data.is_null() || !data.cast::<f64>().is_aligned() {
            return Ok(None);
        }
        // SAFETY: the engine gave `length` aligned, zeroed doubles that no script has seen yet.
        let column = unsafe { std::slice::from_raw_parts_mut(data.cast::<f64>(), length) };
        if !fill(column)? {
            return Ok(None);
        }
        // SAFETY: the buffer was made in this call and has the length.
        let array = Self::make(|out| unsafe {
            sys::napi_create_typedarray(self.env, sys::TypedarrayType::float64_array, length, buffer, 0, out)
        })?;
        Ok(Some(array))
    }
}

/// Reads JavaScript values.
#[derive(Clone, Copy)]
struct Js {
    env: sys::napi_env,
}

/// Calls the engine; an error where it refuses.
macro_rules! call {
    ($function:ident($($argument:expr),* $(,)?)) => {
        Js::ok(
            // SAFETY: environment and value are those of the running call, and what is written to are locals, which are
            // read only where the call succeeded.
            unsafe { sys::$function($($argument),*) },
        )
    };
}

/// Arrays and maps in one another; a value that holds itself would have no end.
const DEPTH: usize = 200;

impl Js {
    fn ok(status: sys::napi_status) -> Result<()> {
        if status == sys::Status::napi_ok { Ok(()) } else { Err(error(VALUE, "a value could not be read")) }
    }

    fn write(self, value: sys::napi_value, out: &mut impl Write, depth: usize) -> Result<()> {
        if depth > DEPTH {
            return Err(error(VALUE, format!("arrays and objects are nested deeper than {DEPTH}")));
        }
        let env = self.env;
        let mut kind = 0;
        call!(napi_typeof(env, value, &raw mut kind))?;
        match kind {
            sys::ValueType::napi_boolean => {
                let mut result = false;
                call!(napi_get_value_bool(env, value, &raw mut result))?;
                out.boolean(result);
            }
            sys::ValueType::napi_number => {
                let mut number = 0.0;
                call!(napi_get_value_double(env, value, &raw mut number))?;
                write_number(number, out);
            }
            sys::ValueType::napi_string => out.text(&self.text(value)?),
            sys::ValueType::napi_bigint => self.write_bigint(value, out)?,
            sys::ValueType::napi_object => return self.write_object(value, out, depth),
            _ => out.null(),
        }
        Ok(())
    }

    fn write_bigint(self, value: sys::napi_value, out: &mut impl Write) -> Result<()> {
        let (mut lossless, mut signed, mut unsigned) = (false, 0, 0);
        call!(napi_get_value_bigint_int64(self.env, value, &raw mut signed, &raw mut lossless))?;
        if lossless {
            out.signed(signed);
            return Ok(());
        }
        call!(napi_get_value_bigint_uint64(self.env, value, &raw mut unsigned, &raw mut lossless))?;
        if !lossless {
            return Err(error(VALUE, "a bigint has more than 64 bits"));
        }
        out.unsigned(unsigned);
        Ok(())
    }

    fn write_object(self, value: sys::napi_value, out: &mut impl Write, depth: usize) -> Result<()> {
        let env = self.env;
        let mut is = false;
        call!(napi_is_array(env, value, &raw mut is))?;
        if is {
            let mut length = 0;
            call!(napi_get_array_length(env, value, &raw mut length))?;
            out.array(length as usize);
            for index in 0..length {
                let mut item = null_mut();
                call!(napi_get_element(env, value, index, &raw mut item))?;
                self.write(item, out, depth + 1)?;
            }
            return Ok(());
        }
        call!(napi_is_typedarray(env, value, &raw mut is))?;
        if is { self.write_typed_array(value, out) } else { self.write_map(value, out, depth) }
    }

    fn write_typed_array(self, value: sys::napi_value, out: &mut impl Write) -> Result<()> {
        let (mut kind, mut length, mut offset) = (0, 0, 0);
        let (mut data, mut buffer) = (null_mut(), null_mut());
        call!(napi_get_typedarray_info(
            self.env,
            value,
            &raw mut kind,
            &raw mut length,
            &raw mut data,
            &raw mut buffer,
            &raw mut offset,
        ))?;
        // SAFETY: the engine gave kind, place and length; typed arrays are aligned to their items.
        unsafe {
            match kind {
                sys::TypedarrayType::float64_array => out.doubles(items(data, length)),
                sys::TypedarrayType::uint8_array | sys::TypedarrayType::uint8_clamped_array => {
                    out.bytes(items(data, length));
                }
                sys::TypedarrayType::float32_array => {
                    let values: Vec<f64> = items::<f32>(data, length).iter().map(|&value| value as f64).collect();
                    out.doubles(&values);
                }
                sys::TypedarrayType::int8_array => write_integers(items::<i8>(data, length), out),
                sys::TypedarrayType::int16_array => write_integers(items::<i16>(data, length), out),
                sys::TypedarrayType::int32_array => write_integers(items::<i32>(data, length), out),
                sys::TypedarrayType::uint16_array => write_integers(items::<u16>(data, length), out),
                sys::TypedarrayType::uint32_array => write_integers(items::<u32>(data, length), out),
                sys::TypedarrayType::bigint64_array => write_integers(items::<i64>(data, length), out),
                sys::TypedarrayType::biguint64_array => {
                    out.array(length);
                    for &value in items::<u64>(data, length) {
                        out.unsigned(value);
                    }
                }
                _ => return Err(error(VALUE, "a typed array is of a kind that WAMP has no form for")),
            }
        }
        Ok(())
    }

    fn write_map(self, value: sys::napi_value, out: &mut impl Write, depth: usize) -> Result<()> {
        let env = self.env;
        let (mut names, mut length) = (null_mut(), 0);
        call!(napi_get_all_property_names(
            env,
            value,
            sys::KeyCollectionMode::own_only,
            sys::KeyFilter::enumerable | sys::KeyFilter::skip_symbols,
            sys::KeyConversion::numbers_to_strings,
            &raw mut names,
        ))?;
        call!(napi_get_array_length(env, names, &raw mut length))?;
        let mut pairs = Vec::with_capacity(length as usize);
        for index in 0..length {
            let (mut name, mut item, mut kind) = (null_mut(), null_mut(), 0);
            call!(napi_get_element(env, names, index, &raw mut name))?;
            call!(napi_get_property(env, value, name, &raw mut item))?;
            call!(napi_typeof(env, item, &raw mut kind))?;
            if kind != sys::ValueType::napi_undefined {
                pairs.push((name, item));
            }
        }
        out.map(pairs.len());
        for (name, item) in pairs {
            out.text(&self.text(name)?);
            self.write(item, out, depth + 1)?;
        }
        Ok(())
    }

    fn text(self, value: sys::napi_value) -> Result<String> {
        const SHORT: usize = 64;
        let mut bytes = vec![0; SHORT];
        let mut length = 0;
        // A code point takes 4 bytes at most: with that much room left, and the zero at the end, the text was whole.
        call!(napi_get_value_string_utf8(self.env, value, bytes.as_mut_ptr().cast(), SHORT, &raw mut length))?;
        if length + 5 > SHORT {
            call!(napi_get_value_string_utf8(self.env, value, null_mut(), 0, &raw mut length))?;
            bytes.resize(length + 1, 0);
            call!(napi_get_value_string_utf8(self.env, value, bytes.as_mut_ptr().cast(), length + 1, &raw mut length))?;
        }
        bytes.truncate(length);
        String::from_utf8(bytes).map_err(|reason| error(VALUE, reason))
    }
}

/// A JavaScript number: an integer where it is one, as Python tells `1` from `1.0` and JavaScript does not.
fn write_number(number: f64, out: &mut impl Write) {
    if number.fract() == 0.0 && number.abs() <= SAFE as f64 && (number != 0.0 || number.is_sign_positive()) {
        out.signed(number as i64);
    } else {
        out.float(number);
    }
}

fn write_integers<T: Copy + Into<i64>>(values: &[T], out: &mut impl Write) {
    out.array(values.len());
    for &value in values {
        out.signed(value.into());
    }
}

/// The items of a typed array.
///
/// # Safety
///
/// `data` has `length` aligned items where `length` is not 0, and nothing writes to them during the call.
unsafe fn items<'a, T>(data: *mut c_void, length: usize) -> &'a [T] {
    if length == 0 || data.is_null() {
        return &[];
    }
    // SAFETY: the caller's.
    unsafe { std::slice::from_raw_parts(data.cast::<T>(), length) }
}
