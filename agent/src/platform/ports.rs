//! Which program has a port.

use std::net::SocketAddr;

/// Kinds of ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Those of QUIC.
    Udp,
    /// Those of pages.
    Tcp,
}

/// The program that listens at `address`, in words such as `nginx (process 812)`. Nothing where the system doesn't say, as to
/// others than root for other users' programs.
#[cfg(target_os = "linux")]
pub(crate) fn program_at(kind: Kind, address: SocketAddr) -> Option<String> {
    let tables = match kind {
        Kind::Udp => ["/proc/net/udp", "/proc/net/udp6"],
        Kind::Tcp => ["/proc/net/tcp", "/proc/net/tcp6"],
    };
    let sockets: Vec<u64> = tables
        .into_iter()
        .filter_map(|table| std::fs::read_to_string(table).ok())
        .flat_map(|table| linux::listeners(&table, kind, address))
        .collect();
    linux::owner(&sockets)
}

/// The program that listens at `address`: this system doesn't say.
#[cfg(not(target_os = "linux"))]
pub(crate) fn program_at(kind: Kind, address: SocketAddr) -> Option<String> {
    let _ = (kind, address);
    None
}

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::net::SocketAddr;

    use super::Kind;
    use crate::platform::peer;

    /// Processes that are looked at, and open files of each.
    const PROCESSES_MAX: usize = 65_536;
    const FILES_MAX: usize = 4_096;
    /// Sockets that listen at one port; more share it on purpose.
    const SOCKETS_MAX: usize = 16;
    /// `TCP_LISTEN`; a UDP socket that is not connected has 07.
    const LISTENS: &str = "0A";

    /// The inodes of the sockets in a table of proc_pid_net(5) that keep others from listening at `address`.
    pub(super) fn listeners(table: &str, kind: Kind, address: SocketAddr) -> Vec<u64> {
        let own = |line: &str| {
            let mut words = line.split_ascii_whitespace().skip(1);
            let (ip, port) = peer::address(words.next()?)?;
            let (_remote, state) = (words.next()?, words.next()?);
            // Queues, timer, retransmissions, user, timeout; then the inode.
            let inode = words.nth(5)?.parse().ok()?;
            let wanted = address.ip().to_canonical();
            let clashes = ip == wanted || ip.is_unspecified() || wanted.is_unspecified();
            (port == address.port() && clashes && (kind == Kind::Udp || state == LISTENS)).then_some(inode)
        };
        table.lines().skip(1).filter_map(own).take(SOCKETS_MAX).collect()
    }

    /// The process that has one of these sockets open.
    pub(super) fn owner(sockets: &[u64]) -> Option<String> {
        if sockets.is_empty() {
            return None;
        }
        let names: Vec<String> = sockets.iter().map(|inode| format!("socket:[{inode}]")).collect();
        let processes = fs::read_dir("/proc").ok()?.flatten().take(PROCESSES_MAX);
        processes.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).find_map(
            |process| {
                let files = fs::read_dir(process.path().join("fd")).ok()?.flatten().take(FILES_MAX);
                let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
                targets.any(|target| names.iter().any(|name| target.as_os_str() == name.as_str())).then(
                    || {
                        let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
                        let name: String = name.chars().filter(|c| !c.is_control()).collect();
                        format!("{name} (process {})", process.file_name().to_string_lossy())
                    },
                )
            },
        )
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn this_process_is_found_by_its_ports() {
            let me = format!("(process {})", std::process::id());
            for any in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
                let Ok(udp) = std::net::UdpSocket::bind(any) else { continue };
                let address = udp.local_addr().unwrap();
                let found = super::super::program_at(Kind::Udp, address);
                assert!(found.as_ref().is_some_and(|found| found.ends_with(&me)), "{any}: {found:?}");
                let tcp = std::net::TcpListener::bind(any).unwrap();
                let address = tcp.local_addr().unwrap();
                let found = super::super::program_at(Kind::Tcp, address);
                assert!(found.as_ref().is_some_and(|found| found.ends_with(&me)), "{any}: {found:?}");
                drop(tcp);
                assert_eq!(super::super::program_at(Kind::Tcp, address), None, "{any}");
            }
        }

        #[test]
        fn connections_and_other_addresses_keep_nobody_away() {
            let table = "head
   0: 0100007F:1CF3 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41 1
   1: 0100007F:1CF3 0100007F:A000 01 00000000:00000000 00:00000000 00000000  1000        0 42 1
   2: 0200007F:1CF3 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 43 1
   3: 00000000:1CF3 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 44 1
   4: 0100007F:1CF3 00000000:0000 0A 00000000";
            if cfg!(target_endian = "little") {
                let found = listeners(table, Kind::Tcp, SocketAddr::from(([127, 0, 0, 1], 0x1CF3)));
                assert_eq!(found, [41, 44]);
            }
            assert!(listeners("", Kind::Udp, SocketAddr::from(([127, 0, 0, 1], 1))).is_empty());
        }
    }
}
