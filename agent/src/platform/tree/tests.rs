//! Real trees. A `cat` that reads a FIFO stands for the program: it runs until the test drops the FIFO's writer.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::time::timeout;

use super::*;

const SOON: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(10);

fn me() -> Caller {
    let uid = rustix::process::getuid().as_raw();
    Caller { user: "me".to_owned(), uid: Some(uid), pid: None, manages_device: false }
}

/// Tests run side by side: each tree has its own.
fn fresh_token() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Whether a program's processes carry its token.
enum Token {
    Carried,
    Lost,
}

struct Program {
    starter: Child,
    token: String,
    fifo: PathBuf,
    _dir: tempfile::TempDir,
}

impl Program {
    /// Starts `sh` with a script that goes on when [`Self::go`] is called; `$FIFO` names a FIFO, `${FIFO}2`
    /// another.
    fn start(script: &str, token: Token) -> Self {
        let own = fresh_token();
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        for name in ["fifo", "fifo2"] {
            let path = dir.path().join(name);
            rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
        }
        let mut command = Command::new("sh");
        command.args(["-c", &format!("read go; {script}")]).env("FIFO", &fifo).stdin(Stdio::piped());
        match token {
            Token::Carried => command.env("SEATKEEPER_SESSION", &own),
            Token::Lost => command.env_remove("SEATKEEPER_SESSION"),
        };
        Self { starter: command.spawn().unwrap(), token: own, fifo, _dir: dir }
    }

    fn adopt(&self) -> ProcessTree {
        ProcessTree::adopt(self.starter.id(), &self.token, &me()).unwrap()
    }

    /// Lets the script go on and waits until its `cat` has opened the FIFO.
    async fn go(&mut self) -> File {
        self.starter.stdin.take().unwrap().write_all(b"go\n").unwrap();
        open_writer(&self.fifo).await
    }
}

async fn open_writer(fifo: &Path) -> File {
    let fifo = fifo.to_owned();
    let opened = tokio::task::spawn_blocking(move || OpenOptions::new().write(true).open(fifo));
    timeout(LONG, opened).await.expect("nobody opened the FIFO").unwrap().unwrap()
}

/// The tree lives as long as the FIFO's writer, and its end is told.
async fn lives_as_long_as(tree: &mut ProcessTree, writer: File) {
    assert!(timeout(SOON, tree.ended()).await.is_err(), "the program still runs");
    drop(writer);
    timeout(LONG, tree.ended()).await.expect("the program has ended");
}

#[tokio::test]
async fn a_plain_program() {
    let mut program = Program::start("cat $FIFO; true", Token::Lost);
    let mut tree = program.adopt();
    let writer = program.go().await;
    lives_as_long_as(&mut tree, writer).await;
}

#[tokio::test]
async fn a_starter_that_exits_at_once() {
    let mut program = Program::start("cat $FIFO & exit 0", Token::Carried);
    let mut tree = program.adopt();
    let writer = program.go().await;
    program.starter.wait().unwrap();
    lives_as_long_as(&mut tree, writer).await;
}

#[tokio::test]
async fn a_daemon_that_detaches_itself() {
    let script = "setsid sh -c 'setsid cat $FIFO & exit 0' & exit 0";
    let mut program = Program::start(script, Token::Carried);
    let mut tree = program.adopt();
    let writer = program.go().await;
    program.starter.wait().unwrap();
    lives_as_long_as(&mut tree, writer).await;
}

#[tokio::test]
async fn a_killed_wrapper_whose_child_was_seen_needs_no_token() {
    let mut program = Program::start("cat $FIFO; true", Token::Lost);
    let mut tree = program.adopt();
    let writer = program.go().await;
    assert!(timeout(SOON, tree.ended()).await.is_err());
    program.starter.kill().unwrap();
    program.starter.wait().unwrap();
    lives_as_long_as(&mut tree, writer).await;
}

#[tokio::test]
async fn a_daemon_in_its_own_session_needs_no_token() {
    // The session's leader is seen; the program that it leaves behind never is before the leader is gone.
    let script = "setsid sh -c 'cat $FIFO; cat ${FIFO}2 & exit 0'; exit 0";
    let mut program = Program::start(script, Token::Lost);
    let mut tree = program.adopt();
    let first = program.go().await;
    assert!(timeout(SOON, tree.ended()).await.is_err());
    drop(first);
    let second = open_writer(&program.fifo.with_file_name("fifo2")).await;
    program.starter.wait().unwrap();
    lives_as_long_as(&mut tree, second).await;
}

#[tokio::test]
async fn an_end_is_told_at_once_and_a_zombie_has_ended() {
    let mut program = Program::start("exec cat $FIFO", Token::Lost);
    let mut tree = program.adopt();
    let writer = program.go().await;
    assert!(timeout(SOON, tree.ended()).await.is_err());
    // Nobody waits for the process, so it stays a zombie.
    drop(writer);
    timeout(LOOK_EVERY / 2, tree.ended()).await.expect("told by the descriptor, not by the next look");
    program.starter.wait().unwrap();
}

#[tokio::test]
async fn a_restarted_agent_finds_the_tree_again() {
    let mut program = Program::start("cat $FIFO & exit 0", Token::Carried);
    let identity = program.adopt().identity();
    let writer = program.go().await;
    program.starter.wait().unwrap();
    let mut tree = ProcessTree::resume(identity.clone()).expect("the program runs");
    lives_as_long_as(&mut tree, writer).await;
    assert!(ProcessTree::resume(identity).is_none());
}

#[tokio::test]
async fn only_an_existing_process_of_the_caller_is_adopted() {
    let mut program = Program::start("true", Token::Lost);
    let pid = program.starter.id();
    let stranger = Caller { user: "mallory".to_owned(), uid: Some(54_321), pid: None, manages_device: false };
    let refused = ProcessTree::adopt(pid, &program.token, &stranger).unwrap_err();
    assert!(matches!(refused, TreeError::NotYours { .. }), "{refused}");
    program.starter.kill().unwrap();
    program.starter.wait().unwrap();
    let refused = ProcessTree::adopt(pid, &program.token, &me()).unwrap_err();
    assert!(matches!(refused, TreeError::NoSuchProcess(_)), "{refused}");
}
