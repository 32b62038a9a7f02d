//! A limit of a historical subscription of arbitrary text is a time that .NET holds, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use measurand_sttp::data_set::DateTime;
use measurand_sttp::parse_time_constraint;

fuzz_target!(|input: (&str, u64)| {
    let (text, now) = input;
    let now = DateTime((now % (DateTime::MAX.0 as u64 + 1)) as i64);
    if let Some(time) = parse_time_constraint(text, now) {
        assert!((DateTime(0)..=DateTime::MAX).contains(&time));
    }
});
