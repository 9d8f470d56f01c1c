//! The connected clients, and the commands that list them.

use core::time::Duration;

use anet::server::{Connection, Key, Server};

use crate::{
    resp::{Output, Session},
    store::{refuse_subcommand, upper},
};

/// How many addresses can be counted for `--max-per-source`: as many as the default number of clients.
pub const SOURCES: usize = 10_000;

pub type Clients<'t> = Server<'t, Client, SOURCES>;

/// The data of a connection.
#[derive(Default)]
pub struct Client {
    name: Vec<u8>,
    /// In bytes.
    pub received: u64,
    pub sent: u64,
    pub session: Session,
}

/// `CLIENT`. Requests in datagrams have no caller.
pub fn execute(clients: &mut Clients<'_>, caller: Option<Key>, command: &[u8], args: &[&[u8]], out: &mut Output) {
    let Some(caller) = caller.and_then(|key| clients.get_mut(key)) else {
        return out.line('-', "ERR CLIENT needs a connection");
    };
    match (upper(command, &mut [0; 8]), args) {
        (b"ID", []) => out.line(':', caller.id()),
        (b"LIST", []) => out.bulk(list(clients).as_bytes()),
        (b"GETNAME", []) => out.bulk_or_nil(Some(&caller.data.name).filter(|name| !name.is_empty())),
        (b"SETINFO", [_, _]) => out.ok(),
        (b"SETNAME", [new]) if new.iter().all(u8::is_ascii_graphic) => {
            caller.data.name = new.to_vec();
            out.ok();
        }
        (b"SETNAME", [_]) => {
            out.line('-', "ERR Client names cannot contain spaces, newlines or special characters.");
        }
        _ => refuse_subcommand("client", command, out),
    }
}

/// In order of arrival.
fn list(clients: &Clients<'_>) -> String {
    let mut all: Vec<_> = clients.iter().map(|(_, client)| client).collect();
    all.sort_unstable_by_key(|client| client.id());
    all.into_iter().map(|client| describe(client, clients.now())).collect()
}

fn describe(client: &Connection<Client>, now: Duration) -> String {
    let (id, addr, name) = (client.id(), client.peer_addr(), String::from_utf8_lossy(&client.data.name));
    let [age, idle] = [client.opened_at(), client.last_active()].map(|time| now.saturating_sub(time).as_secs());
    let laddr = client.stream().local_addr().map_or_else(|error| error.to_string(), |laddr| laddr.to_string());
    let Client { received, sent, .. } = client.data;
    format!(
        "id={id} addr={addr} laddr={laddr} name={name} age={age} idle={idle} tot-net-in={received} tot-net-out={sent}\n"
    )
}
