//! Pipes with flags for each end; FIFOs.

mod support;

use std::{
    io::{Read, Write},
    process::Command,
};

use anet::{
    Errno, Error, Op, option,
    pipe::{EndFlags, Pipe, is_fifo, pipe},
};
use support::*;

#[test]
fn each_end_has_separate_flags_and_both_are_close_on_exec() {
    let all = [EndFlags::empty(), EndFlags::NONBLOCK];
    for (read, write) in all.into_iter().flat_map(|read| all.map(|write| (read, write))) {
        let pipe = pipe(read, write).unwrap();
        for (fd, flags) in [(&pipe.read, read), (&pipe.write, write)] {
            assert!(option::cloexec(fd).unwrap());
            assert_eq!(option::nonblocking(fd).unwrap(), flags.contains(EndFlags::NONBLOCK));
        }
    }
}

#[test]
fn bytes_written_to_a_pipe_are_read() {
    let Pipe { read, write } = pipe(EndFlags::empty(), EndFlags::empty()).unwrap();
    std::fs::File::from(write).write_all(b"through").unwrap();
    let mut out = String::new();
    std::fs::File::from(read).read_to_string(&mut out).unwrap();
    assert_eq!(out, "through");
}

#[test]
fn without_descriptors_it_is_an_error_and_nothing_is_left_open() {
    with_own_descriptors(|| {
        let any = std::fs::File::open("/dev/null").unwrap();
        let mut occupied: Vec<_> = std::iter::from_fn(|| any.try_clone().ok()).collect();
        for _ in 0..2 {
            let error = pipe(EndFlags::empty(), EndFlags::NONBLOCK).unwrap_err();
            assert_eq!(error, Error::new(Op::Pipe, Errno::MFILE));
            // With room for one end only it must also fail.
            occupied.pop();
        }
        pipe(EndFlags::empty(), EndFlags::NONBLOCK).unwrap();
    });
}

#[test]
fn a_fifo_is_distinguished_from_other_files() {
    let directory = tempfile::tempdir().unwrap();
    let fifo = directory.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let link = directory.path().join("link");
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    assert_eq!(is_fifo(&fifo), Ok(true));
    assert_eq!(is_fifo(&link), Ok(true));
    assert_eq!(is_fifo(directory.path()), Ok(false));
    assert_eq!(is_fifo("/dev/null"), Ok(false));
    assert_eq!(is_fifo("/nowhere/at/all"), Err(Error::new(Op::Stat, Errno::NOENT)));
    assert_eq!(is_fifo("a\0b"), Err(Error::new(Op::Stat, Errno::INVAL)));
}
