use std::os::unix::fs::PermissionsExt;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use super::*;

#[tokio::test]
async fn a_caller_is_who_the_system_says() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/agent.sock");
    let mut listener = LocalListener::bind(&path).unwrap();
    let mode = std::fs::metadata(&path).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);

    let mut client = UnixStream::connect(&path).await.unwrap();
    let (mut stream, caller) = listener.accept().await.unwrap();
    let uid = rustix::process::geteuid().as_raw();
    let user = nix::unistd::User::from_uid(uid.into())
        .unwrap()
        .map_or_else(|| format!("uid:{uid}"), |user| user.name);
    let expected = Caller { user, uid: Some(uid), pid: Some(std::process::id()), manages_device: true };
    assert_eq!(caller, expected);

    client.write_all(b"ask").await.unwrap();
    let mut asked = [0; 3];
    stream.read_exact(&mut asked).await.unwrap();
    stream.write_all(b"answer").await.unwrap();
    drop(stream);
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    assert_eq!((&asked, answer.as_str()), (b"ask", "answer"));
}

#[tokio::test]
async fn a_live_socket_is_taken_and_a_stale_one_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let live = LocalListener::bind(&path).unwrap();
    let refused = LocalListener::bind(&path).unwrap_err();
    assert!(matches!(refused, BindError::Taken(_)), "{refused}");
    drop(live);
    assert!(!path.exists(), "the file goes with the listener");

    // What a crash leaves: a socket file that nobody listens at.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let mut listener = LocalListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).await.unwrap();
    listener.accept().await.unwrap();
}

#[tokio::test]
async fn what_is_not_a_socket_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("notes.txt");
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(LocalListener::bind(&path), Err(BindError::NotASocket(named)) if named == path));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
}

#[tokio::test]
async fn a_long_path_is_refused_in_words() {
    let path = std::path::Path::new("/tmp").join("x".repeat(200));
    let error = LocalListener::bind(&path).unwrap_err();
    assert!(matches!(error, BindError::TooLong { len: 205, .. }), "{error}");
}

#[tokio::test]
async fn a_file_that_is_no_longer_ours_is_not_removed() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("agent.sock");
    let first = LocalListener::bind(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let _second = LocalListener::bind(&path).unwrap();
    drop(first);
    assert!(path.exists());
}
