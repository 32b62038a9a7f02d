//! Writing to a stream socket of Node's, for `ts/session`.

use napi::bindgen_prelude::Uint8ArraySlice;
use napi_derive::napi;

/// Gives bytes to a connected socket as far as the system takes them at once, and says how many it took; 0 also where the
/// connection is broken.
///
/// Node's streams cost half as much again as the system's call: a request object, a turn of the queue for its callback,
/// their books. Where only Node can write, as on Windows, it takes none.
#[napi(catch_unwind)]
pub fn socket_send(fd: i32, bytes: Uint8ArraySlice<'_>) -> u32 {
    #[cfg(target_os = "linux")]
    {
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        // SAFETY: the pointer and the length are those of a slice that lives on during the call.
        let sent = unsafe { libc::send(fd, bytes.as_ptr().cast(), bytes.len(), flags) };
        u32::try_from(sent).unwrap_or(0)
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (fd, bytes);
        0
    }
}
