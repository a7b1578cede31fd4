//! Whose program is at the other end of a connection within this machine.

use std::net::{IpAddr, SocketAddr};

/// The user that owns the socket which is bound to `theirs` and connected to `ours`; `None`: not known.
#[cfg(target_os = "linux")]
pub(crate) fn user_of(ours: SocketAddr, theirs: SocketAddr) -> Option<u32> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .find_map(|table| find(&table, ours, theirs))
}

/// The user that owns the socket which is bound to `theirs` and connected to `ours`; `None`: not known.
#[cfg(not(target_os = "linux"))]
pub(crate) fn user_of(_ours: SocketAddr, _theirs: SocketAddr) -> Option<u32> {
    None
}

/// Looks a connection up in the kernel's table, proc_pid_net(5).
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "Linux alone has this table"))]
fn find(table: &str, ours: SocketAddr, theirs: SocketAddr) -> Option<u32> {
    table.lines().skip(1).find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (local, remote) = (address(words.next()?)?, address(words.next()?)?);
        // State, queues, timer, retransmissions; then the user.
        let user = words.nth(4)?.parse().ok()?;
        (local == canonical(theirs) && remote == canonical(ours)).then_some(user)
    })
}

fn canonical(address: SocketAddr) -> (IpAddr, u16) {
    (address.ip().to_canonical(), address.port())
}

/// `0100007F:1CF3`: 32 bits at a time, in the processor's order.
#[cfg_attr(not(target_os = "linux"), allow(dead_code, reason = "Linux alone has this table"))]
pub(super) fn address(text: &str) -> Option<(IpAddr, u16)> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| Some(u32::from_str_radix(ip.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match ip.len() {
        8 => IpAddr::from(word(0)?),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?];
            let bytes: [u8; 16] = words.concat().try_into().ok()?;
            IpAddr::from(bytes).to_canonical()
        }
        _ => return None,
    };
    Some((ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_knows_whose_a_connection_is() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(any) else { continue };
            let client = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (server, theirs) = listener.accept().unwrap();
            let ours = server.local_addr().unwrap();
            assert_eq!(user_of(ours, theirs), Some(rustix::process::getuid().as_raw()), "{any}");
            assert_eq!(user_of(theirs, theirs), None);
            drop(client);
        }
    }

    #[test]
    fn any_table_is_read() {
        let (ours, theirs) = ("127.0.0.1:7411".parse().unwrap(), "127.0.0.1:7412".parse().unwrap());
        let line =
            "  0: 0100007F:1CF4 0100007F:1CF3 01 00000000:00000000 00:00000000 00000000  1000        0 1 1";
        assert_eq!(
            find(&format!("head\n{line}\n"), ours, theirs),
            cfg!(target_endian = "little").then_some(1000)
        );
        for odd in [
            "",
            "head",
            "head\n  0:",
            "head\n0: x:y z:1 01",
            "head\n0: 01\u{e9}0007F:1CF4 0100007F:1CF3 1 1 1 1 1",
        ] {
            assert_eq!(find(odd, ours, theirs), None, "{odd:?}");
        }
    }
}
