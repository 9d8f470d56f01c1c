//! Pipes with and without `pipe2`.

use std::fs;

use anet::{
    error::Result,
    option,
    pipe::{EndFlags, Pipe, pipe},
};

use crate::trace::{between_marks, traced};

const FLAGS: [EndFlags; 2] = [EndFlags::empty(), EndFlags::NONBLOCK];

#[test]
#[ignore = "needs strace"]
fn a_pipe_costs_one_call_if_its_ends_are_alike() {
    let trace = traced(&[], || {
        let pipes = between_marks(Vec::with_capacity(2), |pipes| {
            pipes.extend(FLAGS.map(|flags| pipe(flags, flags).unwrap()));
        });
        pipes.iter().zip(FLAGS).for_each(|(pipe, flags)| assert_flags(pipe, flags, flags));
    });
    let forced = [&["pipe", "fcntl", "fcntl"][..], &["pipe", "fcntl", "fcntl"], &["fcntl"; 4]].concat();
    assert_eq!(trace.between_marks(), if cfg!(anet_force_pipe_fallback) { forced } else { vec!["pipe2"; 2] });
}

/// On architectures without `pipe` the replacement is `pipe2` without flags.
#[cfg(any(target_arch = "x86", target_arch = "x86_64", target_arch = "arm"))]
#[test]
#[ignore = "needs strace"]
fn a_missing_pipe2_is_replaced_with_the_same_outcome() {
    let trace = traced(&["pipe2:error=ENOSYS"], || {
        for (read, write) in [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(read, write)| (FLAGS[read], FLAGS[write])) {
            let pipe = between_marks(None, |made| *made = pipe(read, write).ok()).unwrap();
            assert_flags(&pipe, read, write);
        }
    });
    let names = trace.between_marks();
    assert_eq!(names.iter().filter(|&&name| name == "pipe").count(), 4, "{names:?}");
    let asked = if cfg!(anet_force_pipe_fallback) { 0 } else { 4 };
    assert_eq!(names.iter().filter(|&&name| name == "pipe2").count(), asked, "{names:?}");
    // Close-on-exec on eight ends, and two calls for each of the four non-blocking ones.
    assert_eq!(names.iter().filter(|&&name| name == "fcntl").count(), 16, "{names:?}");
    assert_eq!(names.len(), 20 + asked, "{names:?}");
}

#[test]
#[ignore = "needs strace"]
fn a_pipe_that_fails_leaves_no_descriptor_open() {
    for injected in ["pipe2:error=EMFILE", "fcntl:error=EINVAL"] {
        traced(&[injected, "pipe:error=EMFILE"], || {
            let before = open_descriptors();
            let mut failed: Option<Result<Pipe>> = None;
            between_marks((), |()| failed = Some(pipe(EndFlags::NONBLOCK, EndFlags::empty())));
            assert!(failed.unwrap().is_err());
            assert_eq!(open_descriptors(), before);
        });
    }
}

fn assert_flags(pipe: &Pipe, read: EndFlags, write: EndFlags) {
    for (end, flags) in [(&pipe.read, read), (&pipe.write, write)] {
        assert_eq!(option::nonblocking(end), Ok(flags.contains(EndFlags::NONBLOCK)));
        assert_eq!(option::cloexec(end), Ok(true));
    }
}

fn open_descriptors() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}
