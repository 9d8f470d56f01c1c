//! The keys and their values, and the commands that work on them.

use std::collections::{BTreeMap, HashMap};

use anet::server::{Connection, Key};

use crate::{
    clients::{self, Clients},
    resp::{Output, integer, printable},
};

/// The state that commands work on.
#[derive(Default)]
pub struct Store {
    values: HashMap<Vec<u8>, Vec<u8>>,
    config: BTreeMap<&'static str, String>,
    commands: u64,
    pub input_bytes: u64,
    pub output_bytes: u64,
}

/// The known commands and subcommands; one that matched no form has the wrong number of arguments.
const COMMANDS: &str = "client client|getname client|id client|list client|setinfo client|setname command config \
    config|get dbsize del echo exists flushall flushdb get hello incr info mget ping quit select set";
const NOT_AN_INTEGER: &str = "ERR value is not an integer or out of range";

impl Store {
    /// `config` holds the answers of `CONFIG GET`.
    pub fn new(config: BTreeMap<&'static str, String>) -> Self {
        Self { config, ..Self::default() }
    }

    pub fn execute(&mut self, clients: &mut Clients<'_>, caller: Option<Key>, request: &[&[u8]], out: &mut Output) {
        let [name, args @ ..] = request else { return };
        self.commands += 1;
        match (upper(name, &mut [0; 8]), args) {
            (b"PING", []) => out.push(b"+PONG\r\n"),
            (b"PING" | b"ECHO", [message]) => out.bulk(message),
            (b"GET", [key]) => out.bulk_or_nil(self.values.get(*key)),
            (b"MGET", [_, ..]) => {
                out.line('*', args.len());
                args.iter().for_each(|key| out.bulk_or_nil(self.values.get(*key)));
            }
            (b"SET", [key, value]) => {
                self.values.insert(key.to_vec(), value.to_vec());
                out.ok();
            }
            (b"SET", [_, _, ..]) => out.line('-', "ERR syntax error"),
            (b"INCR", [key]) => self.increment(key, out),
            (b"DEL", [_, ..]) => out.line(':', args.iter().filter(|key| self.values.remove(**key).is_some()).count()),
            (b"EXISTS", [_, ..]) => out.line(':', args.iter().filter(|key| self.values.contains_key(**key)).count()),
            (b"DBSIZE", []) => out.line(':', self.values.len()),
            (b"FLUSHALL" | b"FLUSHDB", []) => self.flush(out),
            (b"FLUSHALL" | b"FLUSHDB", [mode]) if matches!(upper(mode, &mut [0; 8]), b"SYNC" | b"ASYNC") => {
                self.flush(out);
            }
            (b"FLUSHALL" | b"FLUSHDB", _) => out.line('-', "ERR syntax error"),
            (b"SELECT", [index]) => match integer(index) {
                Some(0) => out.ok(),
                Some(_) => out.line('-', "ERR DB index is out of range"),
                None => out.line('-', NOT_AN_INTEGER),
            },
            (b"INFO", _) => out.bulk(self.info(clients).as_bytes()),
            (b"HELLO", [] | [b"2"]) => hello(caller.and_then(|key| clients.get(key)).map_or(0, Connection::id), out),
            (b"HELLO", [_]) => out.line('-', "NOPROTO unsupported protocol version"),
            (b"CLIENT", [command, args @ ..]) => clients::execute(clients, caller, command, args, out),
            (b"CONFIG", [get, names @ ..]) if get.eq_ignore_ascii_case(b"GET") && !names.is_empty() => {
                self.config(names, out);
            }
            (b"CONFIG", [command, ..]) => refuse_subcommand("config", command, out),
            (b"COMMAND", [count]) if count.eq_ignore_ascii_case(b"COUNT") => {
                out.line(':', COMMANDS.split(' ').filter(|name| !name.contains('|')).count());
            }
            (b"COMMAND", _) => out.line('*', 0),
            (b"QUIT", _) => {
                out.ok();
                out.ends = true;
            }
            // HTTP: a web page may have made a browser on this host send it. As in Redis, nothing of it is executed.
            (b"POST" | b"HOST:", _) => out.ends = true,
            _ => refuse(name, args, out),
        }
    }

    fn flush(&mut self, out: &mut Output) {
        self.values = HashMap::new();
        out.ok();
    }

    fn increment(&mut self, key: &[u8], out: &mut Output) {
        let Some(number) = self.values.get(key).map_or(Some(0), |value| integer(value)) else {
            return out.line('-', NOT_AN_INTEGER);
        };
        let Some(number) = number.checked_add(1) else {
            return out.line('-', "ERR increment or decrement would overflow");
        };
        self.values.insert(key.to_vec(), number.to_string().into_bytes());
        out.line(':', number);
    }

    fn info(&self, clients: &Clients<'_>) -> String {
        let Self { commands, input_bytes, output_bytes, .. } = self;
        let (connected, counters) = (clients.len(), clients.counters());
        format!(
            "# Clients\r\nconnected_clients:{connected}\r\nmaxclients:{}\r\n\r\n# Stats\r\n\
             total_connections_received:{}\r\ntotal_commands_processed:{commands}\r\n\
             total_net_input_bytes:{input_bytes}\r\ntotal_net_output_bytes:{output_bytes}\r\n\
             rejected_connections:{}\r\n",
            clients.admission().limits().max_clients(),
            counters.accept.accepted,
            counters.rejected,
        )
    }

    fn config(&self, names: &[&[u8]], out: &mut Output) {
        let is_meant =
            |known: &str| names.iter().any(|name| *name == b"*" || name.eq_ignore_ascii_case(known.as_bytes()));
        let meant = self.config.iter().filter(|(name, _)| is_meant(name));
        out.line('*', 2 * meant.clone().count());
        meant.flat_map(|(name, value)| [name, value.as_str()]).for_each(|text| out.bulk(text.as_bytes()));
    }
}

/// The reply to `HELLO`.
fn hello(id: u64, out: &mut Output) {
    out.line('*', 12);
    for text in ["server", "kv", "version", env!("CARGO_PKG_VERSION"), "mode", "standalone", "role", "master", "proto"]
    {
        out.bulk(text.as_bytes());
    }
    out.line(':', 2);
    out.bulk(b"id");
    out.line(':', id);
}

/// The word in capitals; empty if no command is that long.
pub fn upper<'a>(word: &[u8], room: &'a mut [u8; 8]) -> &'a [u8] {
    let Some(room) = room.get_mut(..word.len()) else { return &[] };
    room.iter_mut().zip(word).for_each(|(place, byte)| *place = byte.to_ascii_uppercase());
    room
}

fn refuse(name: &[u8], args: &[&[u8]], out: &mut Output) {
    let mut shown = String::new();
    for arg in args {
        let Some(room @ 1..) = 128usize.checked_sub(shown.len()) else { break };
        shown += &format!("'{}' ", printable(arg.get(..room).unwrap_or(arg)));
    }
    let name = printable(name);
    refuse_arguments_or(format!("unknown command '{name}', with args beginning with: {shown}"), &name, out);
}

pub fn refuse_subcommand(command: &str, name: &[u8], out: &mut Output) {
    let (name, help) = (printable(name), command.to_ascii_uppercase());
    let unknown = format!("unknown subcommand '{name}'. Try {help} HELP.");
    refuse_arguments_or(unknown, &format!("{command}|{name}"), out);
}

fn refuse_arguments_or(unknown: String, name: &str, out: &mut Output) {
    let name = name.to_ascii_lowercase();
    if COMMANDS.split(' ').any(|command| command == name) {
        out.line('-', format_args!("ERR wrong number of arguments for '{name}' command"));
    } else {
        out.line('-', format_args!("ERR {unknown}"));
    }
}
