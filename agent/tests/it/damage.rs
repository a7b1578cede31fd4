//! A state folder that somebody has changed.

use std::path::{Path, PathBuf};

use crate::office::{Office, eventually};

fn logs(state: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|extension| extension == "redb")).collect()
}

/// The others may still count on its votes and on entries that it has acknowledged: an empty log must not speak for it.
#[tokio::test]
async fn a_log_that_is_gone_is_not_begun_anew_under_its_id() {
    for emptied in [false, true] {
        let mut office = Office::with_two_seats().await;
        office.kill_agent().await;
        let state = office.path("state");
        let [log] = logs(&state).try_into().unwrap();
        if emptied {
            std::fs::write(&log, "").unwrap();
        } else {
            std::fs::remove_file(&log).unwrap();
        }
        office.start_agent().await;
        eventually("the agent tells that the log is gone", async || {
            let health = office.client.status().await.unwrap().health;
            health.iter().any(|health| health.code == "log-failed" && health.text.contains("is gone"))
        })
        .await;
        assert_eq!(office.client.status().await.unwrap().me.unwrap().role, "spare");

        office.kill_agent().await;
        office.start_agent().await;
        let health = office.client.status().await.unwrap().health;
        assert!(health.iter().all(|health| health.code != "log-failed"), "it was told once: {health:?}");
        assert_eq!(logs(&state), Vec::<PathBuf>::new());
    }
}

/// Everything in the state folder that a stranger could learn something from is the agent's alone.
#[tokio::test]
async fn secrets_are_the_agents_alone() {
    use std::os::unix::fs::PermissionsExt;
    let office = Office::with_two_seats().await;
    let mut folders = vec![office.path("state")];
    let mut files = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let mode = path.metadata().unwrap().permissions().mode();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_none_or(|name| name != "format" && name != "lock") {
                files += 1;
                assert_eq!(mode & 0o077, 0, "{} has the mode {mode:o}", path.display());
            }
        }
    }
    assert!(files >= 4, "key, epoch, site record and log, at least: {files}");
    #[cfg(target_os = "linux")]
    {
        let limits = std::fs::read_to_string(format!("/proc/{}/limits", office.agent_pid())).unwrap();
        let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        assert_eq!(core.split_whitespace().rev().take(3).collect::<Vec<_>>(), ["bytes", "0", "0"], "{core}");
    }
}
