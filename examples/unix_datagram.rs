//! A pair of Unix datagram sockets: messages keep their boundaries, and may carry an open file.
//!
//! ```sh
//! cargo run --example unix_datagram
//! ```

use std::{error::Error, fs::File, io::Read};

use anet::{
    Datagram,
    datagram::cmsg::{self, Encoder},
    fd::AsFd,
};

fn main() -> Result<(), Box<dyn Error>> {
    let (one, other) = Datagram::pair()?;
    let mut buffer = [0; 8];

    // One receive for each send, whatever the buffer could hold. An empty message is a message.
    for text in ["one", "", "three"] {
        one.send(text.as_bytes())?;
    }
    for _ in 0..3 {
        println!("received {:?}", String::from_utf8_lossy(other.recv(&mut buffer)?.bytes));
    }

    // What does not fit into the buffer is lost, and the length shows how much.
    one.send(b"a message of 26 bytes long")?;
    let received = other.recv(&mut buffer)?;
    println!(
        "received {} of {:?} bytes, truncated: {}",
        received.bytes.len(),
        received.whole_len(),
        received.is_truncated()
    );

    // Nothing is left, and the sockets do not block.
    println!("nothing left: {}", other.recv(&mut buffer).unwrap_err());

    // An open file travels in a control message. The receiver gets a descriptor of its own for it.
    let file = File::open("/proc/self/comm")?;
    let mut space = [0; cmsg::fds_space(1)];
    let mut control = Encoder::new(&mut space);
    control.push_fds(&[file.as_fd()])?;
    one.send_with(b"a file", None, &control)?;
    drop(file);

    let mut space = [0; cmsg::fds_space(1)];
    let mut message = other.recv_with(&mut buffer, &mut space)?;
    let mut name = String::new();
    if let Some(fd) = message.control.take_fds().next() {
        File::from(fd).read_to_string(&mut name)?;
    }
    println!("read from the received file: {}", name.trim_end());

    drop(other);
    println!("after the peer has closed: {}", one.send(b"lost").unwrap_err());
    Ok(())
}
