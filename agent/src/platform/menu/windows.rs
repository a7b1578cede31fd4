//! The Start menu: shortcuts in a folder of their own. They are made by the shell's own object, which PowerShell
//! reaches; what is to stand in them goes there by variables, so that nothing is ever quoted.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Entry, Installed, MenuError, list, remove};

const SCRIPT: &str = "$ErrorActionPreference='Stop';\
    $s=(New-Object -ComObject WScript.Shell).CreateShortcut($env:SEATKEEPER_LINK);\
    $s.TargetPath=$env:SEATKEEPER_TARGET;$s.Arguments=$env:SEATKEEPER_ARGUMENTS;\
    $s.Description=$env:SEATKEEPER_DESCRIPTION;$s.WindowStyle=7;\
    if($env:SEATKEEPER_ICON){$s.IconLocation=$env:SEATKEEPER_ICON};$s.Save()";

/// The user's Start menu.
#[derive(Clone, Debug)]
pub(crate) struct Menu {
    folder: PathBuf,
}

impl Menu {
    /// The menu of whoever runs this program.
    pub(crate) fn of_user() -> Result<Self, MenuError> {
        let data = std::env::var_os("APPDATA").map(PathBuf::from).filter(|path| path.is_absolute());
        let programs = data.ok_or(MenuError::NoFolder)?.join("Microsoft\\Windows\\Start Menu\\Programs");
        Ok(Self { folder: programs.join("Seatkeeper") })
    }

    /// Adds a shortcut, or writes it anew.
    pub(crate) fn add(&self, entry: &Entry) -> Result<PathBuf, MenuError> {
        let path = self.folder.join(format!("{}.lnk", file_name(&entry.name)?));
        let failed = |error| MenuError::file(&path, "written", error);
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let mut words = entry.launcher.iter().chain(&entry.command);
        let program = words.next().cloned().unwrap_or_default();
        let arguments: Vec<String> = words.map(|word| quoted(word)).collect();
        let made = Command::new("powershell.exe")
            .args(["-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-Command", SCRIPT])
            .env("SEATKEEPER_LINK", &path)
            .env("SEATKEEPER_TARGET", program)
            .env("SEATKEEPER_ARGUMENTS", arguments.join(" "))
            .env("SEATKEEPER_DESCRIPTION", format!("Takes a seat of {} from Seatkeeper", entry.product))
            .env("SEATKEEPER_ICON", icon(entry))
            .stdin(Stdio::null())
            .output()
            .map_err(failed)?;
        if made.status.success() {
            return Ok(path);
        }
        let said: String = String::from_utf8_lossy(&made.stderr).chars().take(300).collect();
        Err(failed(std::io::Error::other(said)))
    }

    /// Shortcuts of other programs are left alone.
    pub(crate) fn replace(&self, id: &str, _entry: &Entry) -> Result<PathBuf, MenuError> {
        Err(MenuError::Unfit(
            id.to_owned(),
            "entries of other programs are replaced on Linux only; name the program",
        ))
    }

    /// The shortcuts that start a program with a seat.
    pub(crate) fn list(&self) -> Result<Vec<Installed>, MenuError> {
        list(&self.folder, installed)
    }

    /// Removes a shortcut that starts a program with a seat.
    pub(crate) fn remove(&self, id: &str) -> Result<PathBuf, MenuError> {
        let name = file_name(id).map_err(|_| MenuError::NotFound(id.to_owned()))?;
        let path = self.folder.join(format!("{}.lnk", name.strip_suffix(".lnk").unwrap_or(&name)));
        if !path.exists() {
            return Err(MenuError::NotFound(id.to_owned()));
        }
        remove(&path)?;
        Ok(path)
    }
}

fn file_name(name: &str) -> Result<String, MenuError> {
    let bad = |c: char| c.is_control() || r#"\/:*?"<>|"#.contains(c);
    if name.is_empty() || name.len() > 100 || name.starts_with('.') || name.contains(bad) {
        return Err(MenuError::Unfit(name.to_owned(), "it is not the name of a file"));
    }
    Ok(name.to_owned())
}

/// The program's own icon, unless another one is named.
fn icon(entry: &Entry) -> String {
    entry.icon.clone().or_else(|| entry.command.first().cloned()).unwrap_or_default()
}

/// An argument as `CommandLineToArgvW` reads it.
fn quoted(word: &str) -> String {
    if !word.is_empty() && !word.contains([' ', '\t', '"']) {
        return word.to_owned();
    }
    let mut quoted = String::from('"');
    let mut backslashes = 0;
    for c in word.chars() {
        match c {
            '\\' => backslashes += 1,
            '"' => {
                quoted.extend(std::iter::repeat_n('\\', backslashes + 1));
                backslashes = 0;
            }
            _ => backslashes = 0,
        }
        quoted.push(c);
    }
    quoted.extend(std::iter::repeat_n('\\', backslashes));
    quoted.push('"');
    quoted
}

fn installed(path: &Path) -> Option<Installed> {
    let id = path.file_name()?.to_str()?.strip_suffix(".lnk")?.to_owned();
    Some(Installed { name: id.clone(), product: String::new(), id, path: path.to_owned() })
}
