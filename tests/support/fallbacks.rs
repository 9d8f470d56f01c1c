//! The forced fallbacks of a test, passed on to the programs it compiles.

/// The compiler flags that force them.
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
