use super::stream::{cut_line, parse_seat_event};
use super::*;

#[test]
fn lines_are_cut_across_pieces() {
    let (mut buffer, mut searched) = (b"one".to_vec(), 0);
    assert_eq!(cut_line(&mut buffer, &mut searched), None);
    buffer.extend_from_slice(b"\r\ntwo\nthr");
    assert_eq!(cut_line(&mut buffer, &mut searched), Some(b"one".to_vec()));
    assert_eq!(cut_line(&mut buffer, &mut searched), Some(b"two".to_vec()));
    assert_eq!(cut_line(&mut buffer, &mut searched), None);
    buffer.extend_from_slice(b"ee\n");
    assert_eq!(cut_line(&mut buffer, &mut searched), Some(b"three".to_vec()));
    assert!(buffer.is_empty());
}

#[test]
fn unknown_seat_events_are_passed_over_and_known_ones_must_be_whole() {
    assert!(matches!(parse_seat_event(br#"{"event":"of-tomorrow","place":3}"#), Ok(None)));
    let lost = parse_seat_event(br#"{"event":"lost","reason":"x","more":1}"#).unwrap();
    assert_eq!(lost, Some(api::SeatEvent::Lost { reason: "x".to_owned() }));
    assert!(parse_seat_event(br#"{"event":"lost"}"#).is_err());
    let told = [
        api::SeatEvent::Ends { ends: None, left_s: 600 },
        api::SeatEvent::Asked {
            user: "eva".to_owned(),
            device: "x".to_owned(),
            device_name: "pc2".to_owned(),
            waiting: 1,
            message: None,
        },
        api::SeatEvent::Reachable,
        api::SeatEvent::Alive { until_boot_ms: 1 },
        api::SeatEvent::Unreachable { until_boot_ms: 1 },
    ];
    for event in told {
        let line = serde_json::to_vec(&event).unwrap();
        assert_eq!(parse_seat_event(&line).unwrap(), Some(event));
    }
    assert!(parse_seat_event(b"x").is_err());
}

#[tokio::test]
async fn a_missing_agent_is_named_with_what_to_do() {
    let folder = std::env::temp_dir().join("seatkeeper-no-such-folder");
    let error = Client::with_socket(folder.join("none.sock")).status().await.unwrap_err();
    assert!(matches!(error, ClientError::NoAgent { .. }), "{error}");
    assert!(error.to_string().contains("seatkeeper agent"), "{error}");
    assert!(error.is_transient());
}
