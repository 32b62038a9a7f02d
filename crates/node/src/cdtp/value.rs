//! `MessagePack` values as JavaScript's: integers that a number does not hold exactly are bigint.

use measurand_cdtp::{Timestamp, Value};
use napi::bindgen_prelude::{
    Array, BigInt, ClassInstance, FromNapiValue, JavaScriptClassExt, JsObjectValue, Null, Object, ToNapiValue,
    TypeName, Uint8Array, Unknown, ValidateNapiValue,
};
use napi::{Env, JsValue, Status, ValueType, sys};
use napi_derive::napi;

const SAFE: u64 = (1 << 53) - 1;
const DEPTH: u32 = 32;

/// A time of Constellation's messages: exact to the nanosecond.
#[napi(js_name = "CdtpTimestamp")]
#[derive(Clone, Copy, Debug)]
pub struct JsTimestamp(Timestamp);

#[napi]
impl JsTimestamp {
    /// @param seconds since 1970-01-01 UTC
    /// @param nanoseconds in that second
    #[napi(constructor, catch_unwind)]
    pub fn new(seconds: BigInt, nanoseconds: u32) -> Self {
        Self(Timestamp { seconds: seconds.get_i64().0, nanoseconds })
    }

    /// Seconds since 1970-01-01 UTC.
    #[napi(getter, catch_unwind)]
    pub fn seconds(&self) -> BigInt {
        BigInt::from(self.0.seconds)
    }

    /// Nanoseconds in the second.
    #[napi(getter, catch_unwind)]
    pub fn nanoseconds(&self) -> u32 {
        self.0.nanoseconds
    }
}

impl From<Timestamp> for JsTimestamp {
    fn from(time: Timestamp) -> Self {
        Self(time)
    }
}

impl From<&JsTimestamp> for Timestamp {
    fn from(time: &JsTimestamp) -> Self {
        time.0
    }
}

/// A number that stays a float on the wire even where it is whole.
#[napi(js_name = "CdtpFloat")]
#[derive(Clone, Copy, Debug)]
pub struct JsFloat {
    /// The number.
    #[napi(readonly)]
    pub value: f64,
}

#[napi]
impl JsFloat {
    /// @param value any number
    #[napi(constructor, catch_unwind)]
    pub fn new(value: f64) -> Self {
        Self { value }
    }
}

impl JsFloat {
    const fn value_of(self) -> f64 {
        self.value
    }
}

/// A `MessagePack` extension other than a timestamp.
#[napi(js_name = "CdtpExtension")]
#[derive(Clone, Debug)]
pub struct JsExtension {
    /// Its type, -128 to 127.
    #[napi(readonly)]
    pub kind: i8,
    data: Vec<u8>,
}

#[napi]
impl JsExtension {
    /// @param kind -128 to 127
    #[napi(constructor, catch_unwind)]
    pub fn new(kind: i8, data: Uint8Array) -> Self {
        Self { kind, data: data.to_vec() }
    }

    /// A copy of its bytes.
    #[napi(getter, catch_unwind)]
    pub fn data(&self) -> Uint8Array {
        Uint8Array::new(self.data.clone())
    }
}

/// A value on its way over the border.
#[derive(Debug)]
pub struct WireValue(pub Value);

impl TypeName for WireValue {
    fn type_name() -> &'static str {
        "unknown"
    }

    fn value_type() -> ValueType {
        ValueType::Unknown
    }
}

impl ValidateNapiValue for WireValue {
    unsafe fn validate(_: sys::napi_env, _: sys::napi_value) -> napi::Result<sys::napi_value> {
        Ok(std::ptr::null_mut())
    }
}

impl ToNapiValue for WireValue {
    unsafe fn to_napi_value(env: sys::napi_env, value: Self) -> napi::Result<sys::napi_value> {
        // SAFETY: the environment is the one of the call that this runs in.
        unsafe {
            match value.0 {
                Value::Nil => Null::to_napi_value(env, Null),
                Value::Boolean(value) => bool::to_napi_value(env, value),
                Value::Integer(value) if value.unsigned_abs() <= SAFE => i64::to_napi_value(env, value),
                Value::Integer(value) => BigInt::to_napi_value(env, BigInt::from(value)),
                Value::Unsigned(value) => BigInt::to_napi_value(env, BigInt::from(value)),
                Value::Float(value) => f64::to_napi_value(env, value),
                Value::String(text) => String::to_napi_value(env, text),
                Value::Binary(bytes) => Uint8Array::to_napi_value(env, Uint8Array::new(bytes)),
                Value::Array(items) => Vec::to_napi_value(env, items.into_iter().map(Self).collect::<Vec<_>>()),
                Value::Map(entries) => {
                    let mut object = Object::new(&Env::from_raw(env))?;
                    for (key, value) in entries {
                        set(env, &mut object, &key, Self(value))?;
                    }
                    Object::to_napi_value(env, object)
                }
                Value::Timestamp(time) => JsTimestamp::to_napi_value(env, JsTimestamp(time)),
                Value::Extension(kind, data) => JsExtension::to_napi_value(env, JsExtension { kind, data }),
            }
        }
    }
}

/// Sets a property of its own: a key `__proto__` from a wire must not reach the prototype.
fn set(env: sys::napi_env, object: &mut Object<'_>, key: &str, value: WireValue) -> napi::Result<()> {
    if key != "__proto__" {
        return object.set(key, value);
    }
    // SAFETY: key and value are handles of this call's scope; the descriptor outlives the call.
    let status = unsafe {
        let descriptor = sys::napi_property_descriptor {
            utf8name: std::ptr::null(),
            name: String::to_napi_value(env, key.to_owned())?,
            method: None,
            getter: None,
            setter: None,
            value: WireValue::to_napi_value(env, value)?,
            attributes: sys::PropertyAttributes::writable
                | sys::PropertyAttributes::enumerable
                | sys::PropertyAttributes::configurable,
            data: std::ptr::null_mut(),
        };
        sys::napi_define_properties(env, object.raw(), 1, &raw const descriptor)
    };
    if status == sys::Status::napi_ok { Ok(()) } else { Err(refused("a key cannot be set")) }
}

impl FromNapiValue for WireValue {
    unsafe fn from_napi_value(env: sys::napi_env, value: sys::napi_value) -> napi::Result<Self> {
        // SAFETY: the value is a handle of the call that this runs in.
        let value = unsafe { Unknown::from_napi_value(env, value) }?;
        read(Env::from_raw(env), value, DEPTH).map(Self)
    }
}

/// Maps, for tags and topics.
impl WireValue {
    /// The entries of a map; anything else is refused.
    pub(crate) fn into_map(self) -> napi::Result<Vec<(String, Value)>> {
        match self.0 {
            Value::Map(entries) => Ok(entries),
            _ => Err(refused("tags are an object")),
        }
    }
}

fn refused(reason: &str) -> napi::Error {
    napi::Error::new(Status::InvalidArg, reason.to_owned())
}

fn read(env: Env, value: Unknown<'_>, depth: u32) -> napi::Result<Value> {
    // SAFETY: each value is cast to the type that it was just found to have.
    unsafe {
        Ok(match value.get_type()? {
            ValueType::Undefined | ValueType::Null => Value::Nil,
            ValueType::Boolean => Value::Boolean(value.cast()?),
            ValueType::Number => number(value.cast()?),
            ValueType::String => Value::String(value.cast()?),
            ValueType::BigInt => big(&value.cast()?)?,
            ValueType::Object => return read_object(env, value, depth),
            _ => {
                return Err(refused(
                    "only nil, booleans, numbers, bigints, strings, bytes, dates, arrays and objects are values",
                ));
            }
        })
    }
}

/// A whole number is an integer, as everywhere in JavaScript; negative zero is not whole.
fn number(value: f64) -> Value {
    let is_whole = value.fract() == 0.0 && value.abs() <= SAFE as f64 && !(value == 0.0 && value.is_sign_negative());
    if is_whole { Value::Integer(value as i64) } else { Value::Float(value) }
}

fn big(value: &BigInt) -> napi::Result<Value> {
    if let (signed, true) = value.get_i64() {
        return Ok(Value::Integer(signed));
    }
    match value.get_u64() {
        (false, unsigned, true) => Ok(Value::from(unsigned)),
        _ => Err(refused("a bigint beyond 64 bits")),
    }
}

/// # Safety
/// `value` is an object.
unsafe fn read_object(env: Env, value: Unknown<'_>, depth: u32) -> napi::Result<Value> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(refused("values nested deeper than 32, or in a circle"));
    };
    // SAFETY: each value is cast to the type that it was just found to have.
    unsafe {
        if value.is_array()? {
            let array: Array<'_> = value.cast()?;
            let mut items = Vec::with_capacity(array.len() as usize);
            for index in 0..array.len() {
                items.push(read(env, array.get(index)?.ok_or_else(|| refused("an array with a hole"))?, deeper)?);
            }
            return Ok(Value::Array(items));
        }
        if value.is_typedarray()? {
            return Ok(Value::Binary(value.cast::<Uint8Array>()?.to_vec()));
        }
        if value.is_date()? {
            let date: Object<'_> = value.cast()?;
            let ms: f64 =
                date.get_named_property::<napi::bindgen_prelude::Function<'_, (), f64>>("getTime")?.apply(date, ())?;
            if !ms.is_finite() {
                return Err(refused("an invalid date"));
            }
            return Ok(Value::Timestamp(Timestamp::from_ns((ms as i64).saturating_mul(1_000_000))));
        }
        if JsTimestamp::instance_of(&env, &value)? {
            return Ok(Value::Timestamp(value.cast::<ClassInstance<'_, JsTimestamp>>()?.0));
        }
        if JsFloat::instance_of(&env, &value)? {
            let float = value.cast::<ClassInstance<'_, JsFloat>>()?;
            return Ok(Value::Float(JsFloat::value_of(*float)));
        }
        if JsExtension::instance_of(&env, &value)? {
            let extension = value.cast::<ClassInstance<'_, JsExtension>>()?;
            return Ok(Value::Extension(extension.kind, extension.data.clone()));
        }
        let object: Object<'_> = value.cast()?;
        let mut entries = Vec::new();
        for key in Object::keys(&object)? {
            let Some(value) = object.get::<Unknown<'_>>(&key)? else { continue };
            if value.get_type()? == ValueType::Undefined {
                continue;
            }
            let value = read(env, value, deeper)?;
            entries.push((key, value));
        }
        // A Map or a Set has no properties of its own; taken for an empty object, its contents would be lost.
        if entries.is_empty()
            && object
                .get::<Unknown<'_>>("size")?
                .is_some_and(|size| size.get_type().is_ok_and(|kind| kind == ValueType::Number))
        {
            return Err(refused("a Map or Set: give an object or an array"));
        }
        Ok(Value::Map(entries))
    }
}
