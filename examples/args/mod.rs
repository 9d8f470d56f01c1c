//! The command line of the examples: flags with a value, and words.
#![allow(dead_code, reason = "every example uses some of it")]

use core::{error::Error, fmt::Display, str::FromStr, time::Duration};
use std::{
    collections::HashMap,
    env,
    io::{self, Write},
    process::{self, ExitCode},
};

pub type Outcome = Result<(), Box<dyn Error>>;

/// The arguments given on the command line.
pub struct Args {
    flags: HashMap<String, String>,
    switches: Vec<String>,
    words: Vec<String>,
}

impl Args {
    /// Reads flags of these names (without `--`, or `-` for a letter), and words. `--help` prints `usage` and exits; a mistake exits with
    /// status 2.
    pub fn parse(usage: &str, names: &[&str]) -> Self {
        Self::parse_with_switches(usage, names, &[])
    }

    /// The same with flags that have no value.
    pub fn parse_with_switches(usage: &str, names: &[&str], switch_names: &[&str]) -> Self {
        let (mut flags, mut switches, mut words) = (HashMap::new(), Vec::new(), Vec::new());
        let mut given = env::args_os().skip(1).map(|arg| arg.into_string().unwrap_or_else(|arg| not_text(&arg)));
        while let Some(arg) = given.next() {
            let letter = || arg.strip_prefix('-').filter(|name| name.len() == 1);
            match arg.strip_prefix("--").or_else(letter) {
                Some("help") => {
                    announce(usage);
                    process::exit(0);
                }
                Some(name) if switch_names.contains(&name) => switches.push(name.to_owned()),
                Some(name) if names.contains(&name) => {
                    let value = given.next().unwrap_or_else(|| refuse(format_args!("{arg} needs a value")));
                    flags.insert(name.to_owned(), value);
                }
                Some(_) => refuse(format_args!("unknown flag {arg:?}")),
                None => words.push(arg),
            }
        }
        Self { flags, switches, words }
    }

    /// Whether a flag without a value is given.
    pub fn has(&self, switch: &str) -> bool {
        self.switches.iter().any(|given| given == switch)
    }

    /// The value of a flag, if it is given.
    pub fn given<T: FromStr<Err: Display>>(&self, name: &str) -> Option<T> {
        self.flags.get(name).map(|text| parsed(name, text))
    }

    /// All words.
    pub fn all_words(&self) -> &[String] {
        &self.words
    }

    /// The value of a flag, or `default`.
    pub fn flag<T: FromStr<Err: Display>>(&self, name: &str, default: &str) -> T {
        parsed(name, self.flags.get(name).map_or(default, String::as_str))
    }

    /// The value of a flag that is a time in milliseconds, or `default`.
    pub fn millis(&self, name: &str, default: &str) -> Duration {
        Duration::from_millis(self.flag(name, default))
    }

    /// All words; exits unless there is one.
    pub fn some_words(self) -> Vec<String> {
        if self.words.is_empty() {
            refuse("an argument is missing");
        }
        self.words
    }

    /// All words; exits unless there are exactly this many.
    pub fn words<T: FromStr<Err: Display>, const N: usize>(&self) -> [T; N] {
        let words: Vec<T> = self.words.iter().map(|word| parsed("argument", word)).collect();
        let found = words.len();
        words.try_into().unwrap_or_else(|_| refuse(format_args!("{N} arguments expected, {found} found")))
    }
}

pub fn parsed<T: FromStr<Err: Display>>(name: &str, text: &str) -> T {
    text.parse().unwrap_or_else(|error| refuse(format_args!("{name} {text:?}: {error}")))
}

/// Exits unless the text is one of those that it may be.
pub fn check(name: &str, text: &str, choices: &[&str]) {
    if !choices.contains(&text) {
        refuse(format_args!("{name} {text:?}: not one of {}", choices.join(", ")));
    }
}

fn not_text(arg: &std::ffi::OsStr) -> ! {
    refuse(format_args!("argument {arg:?} is not UTF-8"))
}

fn refuse(mistake: impl Display) -> ! {
    complain(format_args!("{mistake}; see --help"));
    process::exit(2)
}

/// Turns the program's result into its exit status.
pub fn exit(outcome: Outcome) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            complain(error);
            ExitCode::FAILURE
        }
    }
}

/// Prints a line; unlike `println!` this cannot panic when standard output is closed.
pub fn announce(line: impl Display) {
    let mut stdout = io::stdout();
    let _ = writeln!(stdout, "{line}").and_then(|()| stdout.flush());
}

/// The same on standard error.
pub fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
