//! How the process's allocator and its garbage collector treat the memory of messages.

use napi::Env;
use napi_derive::napi;

/// Makes the C library keep freed blocks of up to 32 MiB, and up to `bytes` of free memory, for the blocks to come; does
/// nothing where the C library is not glibc.
///
/// Each message has a fresh buffer, on both sides. By default glibc gives those of 128 KiB and more back to the system
/// when they are freed, and the next one costs a fault, and a cleared page, for every 4 KiB: more than the copy.
#[napi(catch_unwind)]
pub fn keep_freed_memory(bytes: u32) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const M_TRIM_THRESHOLD: i32 = -1;
        const M_MMAP_THRESHOLD: i32 = -3;
        /// The most that glibc takes on machines of 64 bits.
        const MMAP_THRESHOLD_MAX: i32 = 32 << 20;
        unsafe extern "C" {
            fn mallopt(param: i32, value: i32) -> i32;
        }
        // SAFETY: `mallopt` is glibc's; it takes its own lock and two integers by value. That it refuses a value is no
        // fault: the memory is only returned earlier.
        unsafe {
            mallopt(M_MMAP_THRESHOLD, MMAP_THRESHOLD_MAX);
            mallopt(M_TRIM_THRESHOLD, i32::try_from(bytes).unwrap_or(i32::MAX));
        }
    }
    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    let _ = bytes;
}

/// Lets the garbage collector begin when `bytes` fewer than it waits for were made since it last came; those are counted
/// for a moment and not kept.
///
/// It waits for 64 MiB of buffers and then takes its time: a transmitter of large messages held twice what it had queued.
#[napi(catch_unwind)]
pub fn collect_earlier(env: Env, bytes: u32) -> napi::Result<()> {
    env.adjust_external_memory(i64::from(bytes))?;
    env.adjust_external_memory(-i64::from(bytes))?;
    Ok(())
}
