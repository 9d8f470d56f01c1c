//! The fallbacks that a test is compiled with, for what it compiles itself.

/// The flags of the compiler that force them.
pub fn forced() -> Vec<&'static str> {
    let mut flags = Vec::new();
    if cfg!(anet_force_accept_fallback) {
        flags.extend(["--cfg", "anet_force_accept_fallback"]);
    }
    if cfg!(anet_force_epoll_fallback) {
        flags.extend(["--cfg", "anet_force_epoll_fallback"]);
    }
    if cfg!(anet_force_pipe_fallback) {
        flags.extend(["--cfg", "anet_force_pipe_fallback"]);
    }
    flags
}
