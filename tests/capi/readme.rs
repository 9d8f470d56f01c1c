//! The commands of the guide for C work.

use std::{fs, os::unix::fs::symlink, process::Command};

use crate::{library, made, output, source};

const GUIDE: &str = include_str!("../../src/capi/guide.md");

/// The commands of the guide's shell blocks that start with this.
pub fn commands_that_begin_with(begin: &str) -> Vec<&'static str> {
    let commands: Vec<_> = GUIDE.lines().filter(|line| line.starts_with(begin)).collect();
    assert!(!commands.is_empty(), "the guide has no {begin}");
    commands
}

#[test]
fn the_program_of_the_guide_is_made_by_its_commands_and_listens() {
    let folder = made("guide");
    // Left by an earlier run.
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    symlink(source("src"), folder.join("src")).unwrap();
    symlink(library::target(), folder.join("target")).unwrap();
    let program = GUIDE.split_once("```c\n").unwrap().1.split_once("```").unwrap().0;
    fs::write(folder.join("server.c"), program).unwrap();
    let compile = commands_that_begin_with("cc ").into_iter().find(|command| command.contains("libanet.a")).unwrap();
    output(Command::new("sh").args(["-c", compile]).current_dir(&folder));
    let printed = output(&mut Command::new(folder.join("server")));
    assert!(printed.starts_with("listening on 0.0.0.0:"), "{printed}");
}
