//! The local API's seat stream, and commands that need an admin.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::office::Office;

/// What `curl --unix-socket … -N -d '{"product":"cad"}' http://localhost/v1/seats` sends.
const CURL: &str = "POST /v1/seats HTTP/1.1\r\nHost: localhost\r\nUser-Agent: curl/8\r\nAccept: */*\r\n\
    Content-Length: 17\r\nContent-Type: application/x-www-form-urlencoded\r\n\r\n{\"product\":\"cad\"}";

#[tokio::test]
async fn a_closed_connection_gives_the_seat_back_whatever_was_sent() {
    let office = Office::with_two_seats().await;
    for more in ["", "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n"] {
        let mut stream = UnixStream::connect(office.client.socket()).await.unwrap();
        stream.write_all(CURL.as_bytes()).await.unwrap();
        stream.write_all(more.as_bytes()).await.unwrap();
        let mut answer = [0; 4096];
        let mut read = String::new();
        while !read.contains("\"event\":\"granted\"") {
            let count = stream.read(&mut answer).await.unwrap();
            assert_ne!(count, 0, "{read}");
            read.push_str(&String::from_utf8_lossy(&answer[..count]));
        }
        assert!(read.starts_with("HTTP/1.1 200"), "{read}");
        assert_eq!(office.until_seats(1).await[0].pid, Some(std::process::id()));
        drop(stream);
        office.until_seats(0).await;
    }
}

#[tokio::test]
async fn a_third_program_is_told_who_has_the_two_seats() {
    let office = Office::with_two_seats().await;
    let request = seatkeeper_client::SeatRequest::product("cad");
    let _held =
        (office.client.take_seat(&request).await.unwrap(), office.client.take_seat(&request).await.unwrap());
    let error = office.client.take_seat(&request).await.unwrap_err();
    let problem = error.problem().expect("a problem");
    assert_eq!((problem.status, problem.kind.as_str(), problem.holders.len()), (409, "no-seat", 2));
    assert!(problem.holders.iter().all(|holder| holder.device_name == "pc1"), "{problem:?}");
}

#[tokio::test]
async fn an_admin_needs_the_password_and_a_device_needs_a_site() {
    let office = Office::empty().await;
    assert_eq!(office.output(&["seats"]).await.status.code(), Some(69));
    assert_eq!(office.output(&["status"]).await.status.code(), Some(0));
    assert_eq!(office.output(&["site", "join", "SK1-NONSENSE"]).await.status.code(), Some(65));
    let password = office.path("password");
    let password = password.to_str().unwrap();
    office.done(&["site", "create", "Office", "--admin", "eva", "--password-file", password]).await;
    let wrong = office.path("wrong");
    std::fs::write(&wrong, "not the password\n").unwrap();
    let output = office.output(&["site", "invite", "--password-file", wrong.to_str().unwrap()]).await;
    assert_eq!(output.status.code(), Some(77), "{}", String::from_utf8_lossy(&output.stderr));
    let code = office.done(&["site", "invite", "--password-file", password]).await;
    assert!(code.starts_with("SK1-"), "{code}");
    let listed = office.done(&["admin", "list", "--json"]).await;
    assert!(listed.contains("\"eva\""), "{listed}");
}
