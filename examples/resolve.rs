//! Resolves host names, and prints each address with its source and time to live.
//!
//! ```sh
//! cargo run --release --example resolve --features dns -- localhost example.com 2001:DB8::1
//! ```
//!
//! All names are looked up at the same time, by a loop that has nothing but a poller. `--families` is `any`, `v4` or
//! `v6`; `--timeout` is the time for each name in milliseconds.

mod args;

use core::{str::FromStr, time::Duration};
use std::process::ExitCode;

use anet::{
    event::{Events, Interest, Poller},
    resolve::{
        Address, Families,
        dns::{Progress, Stub},
    },
    stream::Deadline,
};
use args::{Args, Outcome, announce, complain};

const USAGE: &str = "Usage: resolve [--families any|v4|v6] [--timeout MILLISECONDS] NAME...";

struct Wanted(Families);

impl FromStr for Wanted {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "any" => Ok(Self(Families::Any)),
            "v4" => Ok(Self(Families::OnlyV4)),
            "v6" => Ok(Self(Families::OnlyV6)),
            _ => Err("neither any nor v4 nor v6"),
        }
    }
}

fn main() -> ExitCode {
    let args = Args::parse(USAGE, &["families", "timeout"]);
    let Wanted(families) = args.flag("families", "any");
    let timeout = args.millis("timeout", "10000");
    args::exit(resolve(args.some_words(), families, timeout))
}

/// A name that is looked up.
struct Lookup {
    name: String,
    stub: Stub<'static>,
}

fn resolve(names: Vec<String>, families: Families, timeout: Duration) -> Outcome {
    let poller = Poller::new()?;
    let deadline = Deadline::after(timeout);
    let count = names.len();
    let mut found = 0;
    let mut lookups = Vec::new();
    for name in names {
        let mut stub = Stub::new()?;
        poller.add(&stub, lookups.len() as u64, Interest::READABLE)?;
        match stub.start(&name, 0, families) {
            Ok(Progress::Done) => found += print(&name, stub.addresses().as_slice()),
            Ok(_) => lookups.push(Some(Lookup { name, stub })),
            Err(error) => complain(format_args!("{name}: {error}")),
        }
    }
    let mut events = Events::<64>::new();
    while lookups.iter().any(Option::is_some) {
        if deadline.is_over() {
            lookups.iter().flatten().for_each(|lookup| complain(format_args!("{}: no answer in time", lookup.name)));
            break;
        }
        let timeouts = lookups.iter().flatten().filter_map(|lookup| lookup.stub.timeout());
        poller.wait(&mut events, timeouts.chain(deadline.remaining()).min())?;
        for place in &mut lookups {
            found += advance(place);
        }
    }
    if found == count { Ok(()) } else { Err("not all names have an address".into()) }
}

/// Lets a lookup go on, and removes it when it is over. Returns the number of names found.
fn advance(place: &mut Option<Lookup>) -> usize {
    let Some(Lookup { name, stub }) = place else { return 0 };
    let found = match stub.advance() {
        Ok(Progress::Done) => print(name, stub.addresses().as_slice()),
        Ok(_) => return 0,
        Err(error) => {
            complain(format_args!("{name}: {error}"));
            0
        }
    };
    *place = None;
    found
}

fn print(name: &str, addresses: &[Address]) -> usize {
    for address in addresses {
        let (ip, source) = (address.addr().ip(), address.source());
        match address.ttl() {
            Some(ttl) => announce(format_args!("{name} {ip} {source} {} s", ttl.as_secs())),
            None => announce(format_args!("{name} {ip} {source}")),
        }
    }
    1
}
