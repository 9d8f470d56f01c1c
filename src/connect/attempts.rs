//! The remaining connection attempts. No system calls.

use core::net::SocketAddr;

use super::{Connector, LocalAddr};
use crate::{
    addr::Endpoint,
    error::{AddrError, Result},
    option::SocketOptions,
};

/// The addresses of a list in order, each with the source address; with a best-effort source the list is repeated
/// without it.
#[derive(Debug)]
pub(super) struct Attempts<L> {
    endpoints: L,
    next: usize,
    connector: Connector,
}

impl<L: AsRef<[Endpoint]>> Attempts<L> {
    pub(super) const fn new(endpoints: L, connector: Connector) -> Self {
        Self { endpoints, next: 0, connector }
    }

    /// The first success and its address, or the last error; `none` if there is no attempt left.
    pub(super) fn first<T>(
        &mut self,
        none: AddrError,
        mut connect: impl FnMut(&Endpoint, Option<SocketAddr>, &SocketOptions) -> Result<T, AddrError>,
    ) -> Result<(Endpoint, T), AddrError> {
        let mut last = none;
        let options = *self.connector.options();
        for (endpoint, source) in self {
            match connect(&endpoint, source, &options) {
                Ok(connected) => return Ok((endpoint, connected)),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

impl<L: AsRef<[Endpoint]>> Iterator for Attempts<L> {
    type Item = (Endpoint, Option<SocketAddr>);

    fn next(&mut self) -> Option<Self::Item> {
        let endpoints = self.endpoints.as_ref();
        if self.next >= endpoints.len() && matches!(self.connector.source(), LocalAddr::BestEffort(_)) {
            (self.next, self.connector) = (0, self.connector.with_local_addr(LocalAddr::Any));
        }
        let endpoint = *endpoints.get(self.next)?;
        self.next += 1;
        Some((endpoint, self.connector.source().addr()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    fn attempts(list: &str, source: LocalAddr) -> Vec<(u16, bool)> {
        let endpoints: Vec<Endpoint> = list.split_whitespace().map(|text| text.parse().unwrap()).collect();
        let attempts = Attempts::new(endpoints, source.into());
        attempts.map(|(endpoint, source)| (endpoint.port().unwrap(), source.is_some())).collect()
    }

    #[test]
    fn a_list_is_tried_in_order_and_again_without_a_best_effort_source() {
        let (list, source) = ("1.1.1.1:1 [::1]:2", "127.0.0.1:0".parse().unwrap());
        assert_eq!(attempts(list, LocalAddr::Any), [(1, false), (2, false)]);
        assert_eq!(attempts(list, LocalAddr::Bound(source)), [(1, true), (2, true)]);
        assert_eq!(attempts(list, LocalAddr::BestEffort(source)), [(1, true), (2, true), (1, false), (2, false)]);
        for source in [LocalAddr::Any, LocalAddr::Bound(source), LocalAddr::BestEffort(source)] {
            assert_eq!(attempts("", source), []);
        }
    }
}
