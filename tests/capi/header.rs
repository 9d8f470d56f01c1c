//! `anet.h`, which is written by hand, agrees with the header that cbindgen generates from the code.

use std::{collections::BTreeSet, fs, path::PathBuf, process::Command};

use cbindgen::{Builder, Config, Language};

use crate::{output, program::GENERATIONS, source};

#[test]
fn the_header_declares_what_the_code_has() {
    let (declared, written) = (header(), declarations(&generated()));
    assert!(written.len() > 40, "cbindgen found {} declarations", written.len());
    assert_eq!(declared, written);
}

/// The symbols of all functions.
pub fn functions() -> BTreeSet<String> {
    let name = |declaration: String| Some(declaration.split_once(" ( ")?.0.rsplit(' ').next()?.to_owned());
    header().into_iter().filter_map(name).collect()
}

/// The declarations of all generations, with the functions under the names of their symbols.
fn header() -> BTreeSet<String> {
    let text = fs::read_to_string(source("src/capi/anet.h")).unwrap();
    let directives: String = text.lines().filter(|line| is_constant(line)).map(|line| format!("{line}\n")).collect();
    let functions = GENERATIONS.into_iter().flat_map(|generation| declarations(&preprocessed(generation)));
    functions.chain(declarations(&directives)).collect()
}

/// Whether a line defines a value: neither the form of a function nor a generation.
fn is_constant(line: &str) -> bool {
    line.starts_with("#define ")
        && !line.starts_with("#define anet")
        && !line.contains("_API")
        && !line.contains("VALKEY")
}

/// The header's own lines for a generation.
fn preprocessed(generation: &str) -> String {
    let header = source("src/capi/anet.h");
    let mut cc = Command::new("cc");
    cc.args(["-E", "-x", "c"]).arg(format!("-DANET_API={generation}")).arg(header);
    let text = output(&mut cc);
    // Lines that begin with "# N" say which file the following ones are from.
    let mut is_own = false;
    let mut own = String::new();
    for line in text.lines() {
        match line.strip_prefix("# ") {
            Some(marker) => is_own = marker.contains("src/capi/anet.h\""),
            None if is_own => own.extend([line, "\n"]),
            None => {}
        }
    }
    own
}

/// The header that cbindgen generates.
fn generated() -> String {
    let config = Config {
        language: Language::C,
        documentation: false,
        usize_is_size_t: true,
        no_includes: true,
        ..Config::default()
    };
    let builder = sources().into_iter().fold(Builder::new().with_config(config), Builder::with_src);
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    String::from_utf8(text).unwrap()
}

fn sources() -> Vec<PathBuf> {
    let files = fs::read_dir(source("src/capi")).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// The functions and the constants of a header, each as its tokens with spaces between them.
fn declarations(header: &str) -> BTreeSet<String> {
    let code = without(header.to_owned(), "/*", "*/");
    let (directives, code): (Vec<_>, Vec<_>) = code.lines().partition(|line| line.starts_with('#'));
    let constants = directives.into_iter().filter(|line| line.split_whitespace().count() == 3).map(tokens);
    let functions = code.join(" ").split_terminator(';').map(tokens).collect::<Vec<_>>();
    constants.chain(functions).filter(|declaration| !declaration.is_empty()).collect()
}

/// The text without the parts between two marks, and without the marks.
fn without(mut text: String, begin: &str, end: &str) -> String {
    while let Some(at) = text.find(begin) {
        let len = text[at..].find(end).expect(end) + end.len();
        text.replace_range(at..at + len, "");
    }
    text
}

fn tokens(code: &str) -> String {
    let apart: String = code
        .chars()
        .flat_map(|char| {
            let space = if char.is_alphanumeric() || "_#-".contains(char) { "" } else { " " };
            [space.to_owned(), char.to_string(), space.to_owned()]
        })
        .collect();
    let mut tokens: Vec<_> = apart.split_whitespace().collect();
    // An array parameter is a pointer in C, and cbindgen writes the pointer.
    while let Some(bracket) = tokens.iter().position(|&token| token == "[") {
        let name = tokens[bracket - 1];
        tokens.splice(bracket - 1..bracket + 3, ["*", name]);
    }
    tokens.join(" ")
}
