//! `anet.h`, which is written by hand, agrees with the header that cbindgen generates from the code.

use std::{collections::BTreeSet, fs, path::PathBuf};

use cbindgen::{Builder, Config, Language};

use crate::source;

#[test]
fn the_header_declares_what_the_code_has() {
    let (declared, written) = (declarations(&header()), declarations(&generated()));
    assert!(written.len() > 30, "cbindgen found {} declarations", written.len());
    assert_eq!(declared, written);
}

/// The names of all functions.
pub fn functions() -> BTreeSet<String> {
    let name = |declaration: String| Some(declaration.split_once(" ( ")?.0.rsplit(' ').next()?.to_owned());
    declarations(&header()).into_iter().filter_map(name).collect()
}

fn header() -> String {
    fs::read_to_string(source("src/capi/anet.h")).unwrap()
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
    let code = without(without(header.to_owned(), "/*", "*/"), "#ifdef __cplusplus", "#endif");
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
