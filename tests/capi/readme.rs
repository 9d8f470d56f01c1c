//! What the README says about C holds, command by command.

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::{library, made, output, source};

const README: &str = include_str!("../../README.md");

/// The commands of the README's shell blocks that begin so.
pub fn commands_that_begin_with(begin: &str) -> Vec<&'static str> {
    let commands: Vec<_> = README.lines().filter(|line| line.starts_with(begin)).collect();
    assert!(!commands.is_empty(), "the README has no {begin}");
    commands
}

#[test]
fn the_program_of_the_readme_is_made_by_its_commands_and_listens() {
    let folder = made("readme");
    // What an earlier run has left.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    symlink(source("src"), folder.join("src")).unwrap();
    symlink(library::target(), folder.join("target")).unwrap();
    let program = README.split_once("```c\n").unwrap().1.split_once("```").unwrap().0;
    fs::write(folder.join("server.c"), program).unwrap();
    let compile = commands_that_begin_with("cc ").into_iter().find(|command| command.contains("libanet.a")).unwrap();
    output(Command::new("sh").args(["-c", compile]).current_dir(&folder));
    let printed = output(&mut Command::new(folder.join("server")));
    assert!(printed.starts_with("listening on 0.0.0.0:"), "{printed}");
}
