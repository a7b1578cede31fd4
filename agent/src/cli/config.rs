//! The file of `agent --config`: TOML whose keys are the options' long names. It is turned into arguments, so that an option
//! is read, checked and explained in one place.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory, FromArgMatches};
use toml::de::{DeTable, DeValue};

use super::args::{Cli, Command};
use super::fail::Fail;
use crate::disk::read_bounded;

/// Longest file, bytes.
const FILE_BYTES_MAX: usize = 65_536;
/// No options, but about the command line itself.
const NOT_IN_FILE: [&str; 3] = ["config", "help", "json"];
/// Options of which the file can set one alone.
const EITHER: [[&str; 2]; 1] = [["no-mdns", "mdns-interface"]];
/// Options that need each other.
const BOTH: [[&str; 2]; 2] = [["webhook", "webhook-secret-file"], ["web-cert", "web-key"]];

/// The command line, with what the file says that `--config` names. Whatever the command line says itself wins.
pub(super) fn with_file(cli: Cli, line: impl IntoIterator<Item = OsString>) -> Result<Cli, Fail> {
    let Command::Agent(agent) = &cli.command else { return Ok(cli) };
    let Some(file) = &agent.config else { return Ok(cli) };
    let text = read_bounded(file, FILE_BYTES_MAX).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|error| std::io::Error::new(std::io::ErrorKind::InvalidData, error))
    });
    let text = text.map_err(|error| {
        let file = file.display();
        Fail::input(format!("the config file {file} cannot be read: {error}; mend it or leave --config out"))
    })?;
    merged(&ConfigFile { path: file, text: &text }, line.into_iter().collect())
}

fn merged(file: &ConfigFile<'_>, mut line: Vec<OsString>) -> Result<Cli, Fail> {
    let options = file.options()?;
    let mut alone = vec![OsString::from("seatkeeper"), OsString::from("agent")];
    alone.extend(options.values().flat_map(|option| option.arguments.iter().map(OsString::from)));
    parse(&alone).map_err(|error| Fail::input(file.at(1, &reason(&error))))?;

    // Nothing stands behind it: the agent takes options only.
    line.retain(|word| word != "--");
    let said = parse(&line).map_err(|error| Fail::input(reason(&error)))?;
    let is_said = |name: &str| {
        let id = name.replace('-', "_");
        agent_matches(&said).is_some_and(|agent| agent.value_source(&id) == Some(ValueSource::CommandLine))
    };
    for (name, option) in &options {
        let group = EITHER.iter().chain(&BOTH).find(|group| group.contains(&name.as_str()));
        let said = match group {
            // What belongs together is from one place.
            Some(group) => group.iter().any(|name| is_said(name)),
            None => is_said(name),
        };
        if !said {
            line.extend(option.arguments.iter().map(OsString::from));
        }
    }
    let matches = parse(&line).map_err(|error| Fail::input(file.at(1, &reason(&error))))?;
    Cli::from_arg_matches(&matches).map_err(|error| Fail::input(file.at(1, &reason(&error))))
}

/// The options of `agent` on a command line.
fn agent_matches(matches: &ArgMatches) -> Option<&ArgMatches> {
    matches.subcommand_matches("agent")
}

fn parse(line: &[OsString]) -> Result<ArgMatches, clap::Error> {
    Cli::command().try_get_matches_from(line)
}

struct ConfigFile<'a> {
    path: &'a Path,
    text: &'a str,
}

/// What the file says about one option.
struct InFile {
    line: usize,
    arguments: Vec<String>,
}

impl ConfigFile<'_> {
    fn options(&self) -> Result<BTreeMap<String, InFile>, Fail> {
        let table =
            DeTable::parse(self.text).map_err(|error| {
                let line = self.line(error.span().map_or(0, |span| span.start));
                let message = error.message().replace('\n', ", ");
                Fail::input(self.at(
                    line,
                    &format!("this is not TOML ({message}); write lines such as `name = \"value\"`"),
                ))
            })?;
        let command = agent_command();
        let mut options = BTreeMap::new();
        for (key, value) in table.get_ref() {
            let line = self.line(key.span().start);
            let name = key.get_ref().as_ref();
            let option =
                known(&command, name).ok_or_else(|| Fail::input(self.at(line, &unknown(&command, name))))?;
            let arguments = arguments(option, name, value.get_ref());
            let arguments = arguments.map_err(|reason| Fail::input(self.at(line, &reason)))?;
            for argument in &arguments {
                check(name, argument).map_err(|reason| Fail::input(self.at(line, &reason)))?;
            }
            options.insert(name.to_owned(), InFile { line, arguments });
        }
        self.check_groups(&options)?;
        Ok(options)
    }

    fn check_groups(&self, options: &BTreeMap<String, InFile>) -> Result<(), Fail> {
        // An empty list and `false` say nothing.
        let said = |name: &str| options.get(name).filter(|option| !option.arguments.is_empty());
        for [one, other] in EITHER {
            if let (Some(_), Some(option)) = (said(one), said(other)) {
                return Err(Fail::input(
                    self.at(option.line, &format!("`{other}` contradicts `{one}`; remove one of them")),
                ));
            }
        }
        for (one, other) in BOTH.iter().flat_map(|[one, other]| [(one, other), (other, one)]) {
            if let (Some(option), None) = (said(one), said(other)) {
                return Err(Fail::input(
                    self.at(option.line, &format!("`{one}` needs `{other}` too; add it")),
                ));
            }
        }
        Ok(())
    }

    fn line(&self, offset: usize) -> usize {
        self.text.get(..offset).unwrap_or_default().matches('\n').count() + 1
    }

    fn at(&self, line: usize, reason: &str) -> String {
        format!("{}, line {line}: {reason}", self.path.display())
    }
}

/// `agent` with the options that all commands share.
fn agent_command() -> clap::Command {
    let mut command = Cli::command();
    command.build();
    command.find_subcommand("agent").cloned().unwrap_or(command)
}

fn known<'a>(command: &'a clap::Command, name: &str) -> Option<&'a Arg> {
    command
        .get_arguments()
        .find(|option| option.get_long() == Some(name))
        .filter(|_| !NOT_IN_FILE.contains(&name))
}

fn unknown(command: &clap::Command, name: &str) -> String {
    let names = command.get_arguments().filter_map(Arg::get_long).filter(|name| !NOT_IN_FILE.contains(name));
    let names: Vec<&str> = names.collect();
    format!("there is no option `{name}`; remove the line or use one of {}", names.join(", "))
}

/// The arguments that say what a line of the file says.
fn arguments(option: &Arg, name: &str, value: &DeValue<'_>) -> Result<Vec<String>, String> {
    let argument = |value: &str| format!("--{name}={value}");
    let text = "a text in quotes";
    match option.get_action() {
        ArgAction::SetTrue => match value.as_bool() {
            Some(true) => Ok(vec![format!("--{name}")]),
            Some(false) => Ok(Vec::new()),
            None => Err(wrong_type(name, "true or false", value)),
        },
        ArgAction::Append => {
            let texts = value.as_array().and_then(|list| {
                list.iter().map(|text| text.get_ref().as_str().map(argument)).collect::<Option<Vec<_>>>()
            });
            texts.ok_or_else(|| wrong_type(name, "a list of texts in quotes, such as [\"a\", \"b\"]", value))
        }
        _ => value.as_str().map(|value| vec![argument(value)]).ok_or_else(|| wrong_type(name, text, value)),
    }
}

fn wrong_type(name: &str, wanted: &str, value: &DeValue<'_>) -> String {
    let found = match value.type_str() {
        "array" => "a list of something else",
        "boolean" => "true or false",
        "string" => "a text",
        "table" => "a table",
        "datetime" => "a date",
        _ => "a number",
    };
    format!("`{name}` must be {wanted}, not {found}; change it")
}

/// Whether one argument is understood, whatever else may have to stand beside it.
fn check(name: &str, argument: &str) -> Result<(), String> {
    let line = ["seatkeeper", "agent", argument].map(OsString::from);
    match parse(&line) {
        Err(error) if matches!(error.kind(), ErrorKind::ValueValidation | ErrorKind::InvalidValue) => {
            Err(format!("`{name}` has a wrong value: {}; change it", reason(&error)))
        }
        _ => Ok(()),
    }
}

/// What is wrong, without what the command line's parser says around it.
fn reason(error: &clap::Error) -> String {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    let value = error.get(ContextKind::InvalidValue).and_then(|value| match value {
        ContextValue::String(value) => Some(value.clone()),
        _ => None,
    });
    match (cause, value) {
        (Some(cause), Some(value)) if !cause.contains(&format!("`{value}`")) => format!("`{value}`: {cause}"),
        (Some(cause), _) => cause,
        (None, Some(value)) if value.is_empty() => "it is empty".to_owned(),
        _ => {
            let text = error.to_string();
            let first = text.lines().next().unwrap_or_default();
            first.strip_prefix("error: ").unwrap_or(first).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::{AgentArgs, WebArg};

    fn read(text: &str, line: &str) -> Result<(AgentArgs, Option<String>), String> {
        let file = ConfigFile { path: Path::new("agent.toml"), text };
        let cli = merged(&file, line.split_whitespace().map(OsString::from).collect());
        let cli = cli.map_err(|fail| {
            assert_eq!(fail.code, 65, "{}", fail.text);
            fail.text
        })?;
        let socket = cli.socket.map(|socket| socket.display().to_string());
        let Command::Agent(agent) = cli.command else { panic!("not the agent") };
        Ok((agent, socket))
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let file = "listen = '127.0.0.1:1'\npeer = ['10.0.0.1:1', '10.0.0.2:2']\nweb = 'off'\nname = 'cad-1'\n\
                    socket = '/s'\nmdns-interface = ['eth0']\nwebhook = 'https://a/b'\nwebhook-secret-file = '/k'";
        let (agent, socket) = read(file, "seatkeeper agent").unwrap();
        assert_eq!(agent.listen.port(), 1);
        assert_eq!(agent.peer.len(), 2);
        assert_eq!(agent.web, WebArg::Off);
        assert_eq!(agent.name.unwrap().as_str(), "cad-1");
        assert_eq!(agent.mdns_interface, ["eth0"]);
        assert_eq!(socket.as_deref(), Some("/s"));
        assert_eq!(agent.webhook.webhook.as_deref(), Some("https://a/b"));

        let line = "seatkeeper --socket /t agent --no-mdns --listen 127.0.0.1:2 --peer 10.0.0.3:3 --webhook https://c/d \
                    --webhook-secret-file /l --";
        let (agent, socket) = read(file, line).unwrap();
        assert_eq!(agent.listen.port(), 2);
        assert_eq!(agent.peer.len(), 1);
        assert!(agent.no_mdns && agent.mdns_interface.is_empty());
        assert_eq!(socket.as_deref(), Some("/t"));
        assert_eq!(agent.webhook.webhook.as_deref(), Some("https://c/d"));
        assert_eq!(agent.webhook.webhook_secret_file.unwrap(), Path::new("/l"));

        let (agent, _) =
            read("# Nothing.\nno-mdns = false\npeer = []\n", "seatkeeper agent --peer 10.0.0.3:3").unwrap();
        assert!(!agent.no_mdns);
        assert_eq!(agent.peer.len(), 1);
    }

    #[test]
    fn each_fault_is_one_sentence_with_file_line_and_key() {
        let check = |text: &str, said: &[&str]| {
            let sentence = read(text, "seatkeeper agent").map(|_| ()).unwrap_err();
            for part in said {
                assert!(sentence.contains(part), "{text}: {sentence}");
            }
            assert!(!sentence.contains('\n'), "{sentence}");
        };
        check(
            "\nlisten = 7410",
            &["agent.toml, line 2: `listen` must be a text in quotes, not a number; change it"],
        );
        check("peer = '10.0.0.1:1'", &["line 1: `peer` must be a list of texts", "not a text"]);
        check("peer = [1]", &["`peer` must be a list", "not a list of something else"]);
        check("no-mdns = 'yes'", &["`no-mdns` must be true or false, not a text"]);
        check("\n\nlissten = 'x'", &["line 3: there is no option `lissten`; remove", "listen, peer"]);
        check("config = 'x'", &["no option `config`"]);
        check("json = true", &["no option `json`"]);
        check("no_mdns = true", &["no option `no_mdns`"]);
        check("listen = 'here'", &["line 1: `listen` has a wrong value: ", "`here`", "; change it"]);
        check("peer = ['a']", &["`peer` has a wrong value: `a`: "]);
        check("name = ''", &["`name` has a wrong value"]);
        check("web = 'on'", &["`web` has a wrong value: `on` is neither an address with a port"]);
        check("\nname = 'a", &["line 2: this is not TOML", "write lines such as"]);
        check("name = 'a'\nname = 'b'", &["line 2: this is not TOML", "duplicate key"]);
        check("[web]\ncert = 'c'", &["`web` must be a text in quotes, not a table"]);
        check(
            "no-mdns = true\nmdns-interface = ['eth0']",
            &["line 2: `mdns-interface` contradicts `no-mdns`; remove"],
        );
        check("\nweb-key = '/k'", &["line 2: `web-key` needs `web-cert` too; add it"]);
        check("webhook = 'https://a/b'", &["line 1: `webhook` needs `webhook-secret-file` too"]);
    }

    #[test]
    fn a_file_that_is_not_there_or_too_long_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("agent.toml");
        let line = ["seatkeeper".into(), "agent".into(), "--config".into(), file.clone().into_os_string()];
        let run = || {
            let matches = parse(&line).unwrap();
            with_file(Cli::from_arg_matches(&matches).unwrap(), line.clone())
        };
        let fail = run().unwrap_err();
        assert_eq!(fail.code, 65);
        assert!(
            fail.text.contains(&file.display().to_string()) && fail.text.contains("leave --config out"),
            "{fail:?}"
        );
        std::fs::write(&file, "#".repeat(FILE_BYTES_MAX + 1)).unwrap();
        assert!(run().unwrap_err().text.contains("65536 bytes"));
        std::fs::write(&file, "name = 'cad-1'").unwrap();
        let Command::Agent(agent) = run().unwrap().command else { panic!("not the agent") };
        assert_eq!(agent.name.unwrap().as_str(), "cad-1");
    }

    #[test]
    fn the_packaged_file_explains_every_option_and_each_line_can_be_turned_on() {
        let text = include_str!("../../../packaging/linux/agent.toml");
        assert!(read(text, "seatkeeper agent").is_ok());
        let lines: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix('#')).collect();
        // Said by the service.
        let elsewhere = ["state-dir", "socket", "join-file"];
        let command = agent_command();
        for option in command.get_arguments().filter_map(Arg::get_long) {
            if NOT_IN_FILE.contains(&option) || elsewhere.contains(&option) {
                continue;
            }
            let line = lines.iter().find(|line| line.starts_with(&format!("{option} = ")));
            let line = line.unwrap_or_else(|| panic!("no line about {option}"));
            let other = BOTH.iter().find(|pair| pair.contains(&option)).into_iter().flatten();
            let other =
                other.filter_map(|name| lines.iter().find(|line| line.starts_with(&format!("{name} = "))));
            let file: Vec<&str> =
                std::iter::once(line).chain(other.filter(|other| *other != line)).copied().collect();
            read(&file.join("\n"), "seatkeeper agent").unwrap_or_else(|said| panic!("{said}"));
        }
    }

    #[test]
    fn options_that_exclude_each_other_are_known_here() {
        let command = agent_command();
        for option in command.get_arguments() {
            for other in command.get_arg_conflicts_with(option) {
                let pair = [option.get_long().unwrap(), other.get_long().unwrap()];
                assert!(EITHER.iter().any(|group| group.iter().all(|name| pair.contains(name))), "{pair:?}");
            }
        }
    }
}
