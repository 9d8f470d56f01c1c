//! The names to ask for, one after another: the search list of resolv.conf(5).

use arrayvec::ArrayString;

use super::Config;
use crate::addr::HOST_NAME_MAX;

/// A name with its trailing dot.
pub(super) type HostName = ArrayString<{ HOST_NAME_MAX + 1 }>;

/// Where a lookup is in its search list.
#[derive(Clone, Copy, Debug)]
pub(super) struct Search {
    name: HostName,
    /// How many names were asked for.
    asked: usize,
}

impl Search {
    pub(super) const EMPTY: Self = Self { name: ArrayString::new_const(), asked: 0 };

    /// `None` for a name that is too long.
    pub(super) fn new(name: &str) -> Option<Self> {
        Some(Self { name: ArrayString::from(name).ok()?, asked: 0 })
    }

    /// The next name to ask for.
    pub(super) fn next(&mut self, config: &Config) -> Option<HostName> {
        let is_absolute = self.name.ends_with('.');
        let dots = self.name.bytes().filter(|&byte| byte == b'.').count();
        let is_first = is_absolute || dots >= usize::from(config.ndots());
        loop {
            let domain = self.asked.checked_sub(usize::from(is_first));
            self.asked += 1;
            match domain.map(|number| config.search().nth(number)) {
                None => return Some(self.name),
                Some(_) if is_absolute => return None,
                Some(Some(domain)) => {
                    if let Some(name) = self.under(domain) {
                        return Some(name);
                    }
                }
                // After the last domain, the name as it is, unless it was first.
                Some(None) if is_first || self.asked > config.search().count() + 1 => return None,
                Some(None) => return Some(self.name),
            }
        }
    }

    /// The name under this domain, unless that is too long.
    fn under(&self, domain: &str) -> Option<HostName> {
        let mut name = self.name;
        name.try_push('.').ok()?;
        name.try_push_str(domain).ok()?;
        Some(name).filter(|name| name.len() <= HOST_NAME_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        string::{String, ToString},
        vec::Vec,
    };

    fn asked(name: &str, config: &Config) -> Vec<String> {
        let mut search = Search::new(name).unwrap();
        let names: Vec<_> = core::iter::from_fn(|| search.next(config)).map(|name| name.to_string()).collect();
        assert_eq!(search.next(config), None);
        names
    }

    #[test]
    fn a_name_with_enough_dots_is_asked_for_before_the_search_list_and_others_after_it() {
        let config = Config::new().with_search("x.internal y").with_ndots(2);
        assert_eq!(asked("a", &config), ["a.x.internal", "a.y", "a"]);
        assert_eq!(asked("a.b", &config), ["a.b.x.internal", "a.b.y", "a.b"]);
        assert_eq!(asked("a.b.c", &config), ["a.b.c", "a.b.c.x.internal", "a.b.c.y"]);
        assert_eq!(asked("a.", &config), ["a."]);
        assert_eq!(asked("a", &Config::new()), ["a"]);
        assert_eq!(asked("a.b", &Config::new()), ["a.b"]);
        assert_eq!(asked("a", &Config::new().with_ndots(0)), ["a"]);
    }

    #[test]
    fn a_name_too_long_under_a_domain_is_passed_over() {
        let label = "a".repeat(60);
        let name = [label.as_str(); 4].join(".");
        let config = Config::new().with_search("x.internal y").with_ndots(1);
        assert_eq!(asked(&name, &config), [name.clone(), name.clone() + ".y"]);
        assert!(Search::new(&"a".repeat(255)).is_none());
    }
}
