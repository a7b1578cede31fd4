//! `seatkeeper completions` and `man`: both from the definitions that the command line is parsed by.

use std::path::Path;

use clap::CommandFactory;
use clap_mangen::Man;

use super::args::{Cli, CompletionsArgs, ManArgs};
use super::fail::Fail;
use super::print;

/// The binary's name.
const NAME: &str = "seatkeeper";

pub(super) fn completions(args: &CompletionsArgs) -> Result<(), Fail> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), NAME, &mut script);
    print::kept(String::from_utf8_lossy(&script).trim_end())
}

/// A page for the program and for each command, `seatkeeper-site-join.1`.
pub(super) fn man(args: &ManArgs) -> Result<(), Fail> {
    let cannot = |error: std::io::Error| {
        Fail::other(format!("the manual cannot be written to {}: {error}", args.to.display()))
    };
    std::fs::create_dir_all(&args.to).map_err(cannot)?;
    let mut command = Cli::command();
    command.build();
    pages(&command, NAME, &args.to).map_err(cannot)
}

fn pages(command: &clap::Command, name: &str, dir: &Path) -> std::io::Result<()> {
    let mut page = Vec::new();
    let man = Man::new(command.clone().display_name(name)).title(name.to_uppercase());
    man.source(concat!("seatkeeper ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    std::fs::write(dir.join(format!("{name}.1")), page)?;
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        pages(below, &format!("{name}-{}", below.get_name()), dir)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let dir = tempfile::tempdir().unwrap();
        man(&ManArgs { to: dir.path().join("man1") }).unwrap();
        let page = |name: &str| std::fs::read_to_string(dir.path().join("man1").join(name)).unwrap();
        assert!(page("seatkeeper.1").contains(".TH SEATKEEPER 1"), "{}", page("seatkeeper.1"));
        assert!(page("seatkeeper-site-join.1").contains("Join a site by a code"));
        let status = page("seatkeeper-status.1");
        assert!(status.contains("watch") && status.contains("\\fBseatkeeper status\\fR"), "{status}");
        assert!(!dir.path().join("man1/seatkeeper-man.1").exists(), "it is for who makes packages");
    }
}
