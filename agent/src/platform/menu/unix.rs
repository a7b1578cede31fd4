//! The menu of a freedesktop.org desktop: `applications` in the user's data folder, which comes before the system's.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Entry, Installed, MenuError, desktop, list, remove, slug, write};

/// The longest entry that is read, bytes.
const ENTRY_BYTES_MAX: u64 = 256 * 1024;

/// The user's menu.
#[derive(Clone, Debug)]
pub(crate) struct Menu {
    folder: PathBuf,
    system: Vec<PathBuf>,
}

impl Menu {
    /// The menu of whoever runs this program.
    pub(crate) fn of_user() -> Result<Self, MenuError> {
        Self::of(&|name| std::env::var_os(name)).ok_or(MenuError::NoFolder)
    }

    fn of(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<Self> {
        let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
        let system = variable("XDG_DATA_DIRS").filter(|dirs| !dirs.is_empty());
        let system = system.unwrap_or_else(|| "/usr/local/share:/usr/share".into());
        let system = std::env::split_paths(&system).filter(|dir| dir.is_absolute());
        Some(Self {
            folder: data.join("applications"),
            system: system.map(|dir| dir.join("applications")).collect(),
        })
    }

    /// Adds an entry of its own, or writes it anew.
    pub(crate) fn add(&self, entry: &Entry) -> Result<PathBuf, MenuError> {
        let path = self.folder.join(format!("seatkeeper-{}.desktop", slug(&entry.name)));
        self.put(&path, &desktop::new(entry)?)?;
        Ok(path)
    }

    /// Makes the entry `id` of another program start it with a seat, for this user.
    pub(crate) fn replace(&self, id: &str, entry: &Entry) -> Result<PathBuf, MenuError> {
        let file = file_name(id).map_err(|_| MenuError::NotInSystem(id.to_owned()))?;
        let original = self.system.iter().find_map(|dir| read(&dir.join(&file)));
        let original = original.ok_or_else(|| MenuError::NotInSystem(id.to_owned()))?;
        let path = self.folder.join(file);
        self.put(&path, &desktop::wrapped(&original, entry)?)?;
        Ok(path)
    }

    fn put(&self, path: &Path, text: &str) -> Result<(), MenuError> {
        if path.exists() && read(path).as_deref().and_then(desktop::product).is_none() {
            return Err(MenuError::NotOurs(path.to_owned()));
        }
        write(path, text)?;
        self.refresh();
        Ok(())
    }

    /// The entries that start a program with a seat.
    pub(crate) fn list(&self) -> Result<Vec<Installed>, MenuError> {
        list(&self.folder, installed)
    }

    /// Removes an entry that starts a program with a seat.
    pub(crate) fn remove(&self, id: &str) -> Result<PathBuf, MenuError> {
        let path = self.folder.join(file_name(id)?);
        if installed(&path).is_none() {
            return Err(if path.exists() {
                MenuError::NotOurs(path)
            } else {
                MenuError::NotFound(id.to_owned())
            });
        }
        remove(&path)?;
        self.refresh();
        Ok(path)
    }

    /// Which program opens which files is kept in a list; desktops without it look at the entries.
    fn refresh(&self) {
        let mut command = Command::new("update-desktop-database");
        command.arg(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Err(error) = command.status() {
            tracing::debug!(%error, "the list of file types is not renewed");
        }
    }
}

/// The file of the entry `id`, inside the folder and nowhere else.
fn file_name(id: &str) -> Result<String, MenuError> {
    if id.contains(['/', '\0']) || id.starts_with('.') || id.is_empty() {
        return Err(MenuError::NotFound(id.to_owned()));
    }
    Ok(format!("{}.desktop", id.strip_suffix(".desktop").unwrap_or(id)))
}

fn read(path: &Path) -> Option<String> {
    use std::io::Read;

    let mut text = String::new();
    std::fs::File::open(path).ok()?.take(ENTRY_BYTES_MAX).read_to_string(&mut text).ok()?;
    Some(text)
}

fn installed(path: &Path) -> Option<Installed> {
    let id = path.file_name()?.to_str()?.strip_suffix(".desktop")?.to_owned();
    let text = read(path)?;
    let product = desktop::product(&text)?.to_owned();
    let name = desktop::name(&text).unwrap_or(&id).to_owned();
    Some(Installed { id, name, product, path: path.to_owned() })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            product: "example-cad".to_owned(),
            icon: None,
            launcher: vec!["seatkeeper".to_owned(), "run".to_owned()],
            command: vec!["cad".to_owned()],
        }
    }

    #[test]
    fn entries_come_and_go_and_others_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let (home, system) = (dir.path().join("home"), dir.path().join("system"));
        fs::create_dir_all(system.join("applications")).unwrap();
        fs::write(system.join("applications/cad.desktop"), "[Desktop Entry]\nName=CAD\nExec=cad %F\n")
            .unwrap();
        let menu = Menu::of(&|name| match name {
            "XDG_DATA_HOME" => Some(home.clone().into()),
            "XDG_DATA_DIRS" => Some(system.clone().into()),
            _ => None,
        })
        .unwrap();
        assert_eq!(menu.list().unwrap(), []);
        let path = menu.add(&entry("Example CAD")).unwrap();
        assert_eq!(path, home.join("applications/seatkeeper-example-cad.desktop"));
        menu.add(&entry("Example CAD")).unwrap();
        let wrapped = menu.replace("cad", &entry("")).unwrap();
        assert!(fs::read_to_string(&wrapped).unwrap().contains("Exec=seatkeeper run cad %F\n"));
        menu.replace("cad.desktop", &entry("")).unwrap();
        let ids: Vec<String> = menu.list().unwrap().into_iter().map(|found| found.id).collect();
        assert_eq!(ids, ["cad", "seatkeeper-example-cad"]);

        let foreign = home.join("applications/seatkeeper-mine.desktop");
        fs::write(&foreign, "[Desktop Entry]\nName=Mine\nExec=mine\n").unwrap();
        assert!(matches!(menu.add(&entry("mine")), Err(MenuError::NotOurs(_))));
        assert!(matches!(menu.remove("seatkeeper-mine"), Err(MenuError::NotOurs(_))));
        for id in ["nothing", "../cad", "", ".cad"] {
            assert!(matches!(menu.remove(id), Err(MenuError::NotFound(_))), "{id:?}");
            assert!(matches!(menu.replace(id, &entry("")), Err(MenuError::NotInSystem(_))), "{id:?}");
        }
        menu.remove("cad.desktop").unwrap();
        menu.remove("seatkeeper-example-cad").unwrap();
        assert_eq!(menu.list().unwrap(), []);
        assert!(foreign.exists());
    }

    #[test]
    fn the_folder_follows_the_user() {
        let of = |vars: &[(&str, &str)]| {
            Menu::of(&|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| OsString::from(v)))
        };
        assert_eq!(
            of(&[("HOME", "/home/eva")]).unwrap().folder,
            Path::new("/home/eva/.local/share/applications")
        );
        let menu =
            of(&[("HOME", "/home/eva"), ("XDG_DATA_HOME", "relative"), ("XDG_DATA_DIRS", "")]).unwrap();
        assert_eq!(menu.folder, Path::new("/home/eva/.local/share/applications"));
        assert_eq!(menu.system[1], Path::new("/usr/share/applications"));
        assert!(of(&[]).is_none());
    }
}
