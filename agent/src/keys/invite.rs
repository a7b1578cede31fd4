//! Invitation codes: one token that says which site, where, and proves that its bearer was invited.
//!
//! `SK1-` and base32 of: site (20), invitation (16), key (16), kind of address (0, 4 or 6), address, port
//! (little-endian), checksum (4).

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use seatkeeper_protocol::id::{InviteId, SiteId};
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::text;
pub use super::text::CodeError;

const PREFIX: &str = "SK1-";
const CHECKSUM_DOMAIN: &[u8] = b"seatkeeper-invite-v1\n";
/// Longest text looked at, bytes; leaves room for the line breaks of a mail program.
const TEXT_BYTES_MAX: usize = 512;

/// An invitation code.
#[derive(Clone, ZeroizeOnDrop)]
pub struct InviteCode {
    /// The site it invites to.
    #[zeroize(skip)]
    pub site: SiteId,
    /// Where a device of the site was when the code was made.
    #[zeroize(skip)]
    pub address: Option<SocketAddr>,
    /// Which invitation.
    #[zeroize(skip)]
    pub invite: InviteId,
    /// What both sides prove to know, without sending it.
    pub key: [u8; 16],
}

impl InviteCode {
    /// The token.
    pub fn to_text(&self) -> Zeroizing<String> {
        // Allocated once: growing would leave copies of a secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(128));
        bytes.extend_from_slice(&self.site.0);
        bytes.extend_from_slice(&self.invite.0);
        bytes.extend_from_slice(&self.key);
        match self.address.map(|address| (address.ip(), address.port())) {
            None => bytes.push(0),
            Some((IpAddr::V4(ip), port)) => {
                bytes.push(4);
                bytes.extend_from_slice(&ip.octets());
                bytes.extend_from_slice(&port.to_le_bytes());
            }
            Some((IpAddr::V6(ip), port)) => {
                bytes.push(6);
                bytes.extend_from_slice(&ip.octets());
                bytes.extend_from_slice(&port.to_le_bytes());
            }
        }
        let checksum = text::checksum::<4>(CHECKSUM_DOMAIN, &bytes);
        bytes.extend_from_slice(&checksum);
        let letters = text::encode(&bytes);
        let mut token = Zeroizing::new(String::with_capacity(PREFIX.len() + letters.len()));
        token.push_str(PREFIX);
        token.push_str(&letters);
        token
    }
}

impl FromStr for InviteCode {
    type Err = CodeError;

    /// Takes either case, any spaces, line breaks and dashes.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let text = text.trim();
        if text.len() > TEXT_BYTES_MAX {
            return Err(CodeError::WrongLength);
        }
        let (prefix, letters) = text.split_once('-').ok_or(CodeError::NotACode)?;
        match prefix.to_ascii_uppercase().strip_prefix("SK") {
            Some("1") => {}
            Some(other) if !other.is_empty() && other.bytes().all(|b| b.is_ascii_digit()) => {
                return Err(CodeError::UnknownVersion(other.to_owned()));
            }
            _ => return Err(CodeError::NotACode),
        }
        let bytes = text::decode(letters)?;
        let (body, checksum) = bytes.split_last_chunk::<4>().ok_or(CodeError::WrongLength)?;
        if *checksum != text::checksum::<4>(CHECKSUM_DOMAIN, body) {
            return Err(CodeError::WrongChecksum);
        }
        read(body).ok_or(CodeError::WrongLength)
    }
}

fn read(body: &[u8]) -> Option<InviteCode> {
    let (site, rest) = body.split_first_chunk::<20>()?;
    let (invite, rest) = rest.split_first_chunk::<16>()?;
    let (key, rest) = rest.split_first_chunk::<16>()?;
    let address = match rest.split_first()? {
        (0, []) => None,
        (4, rest) => Some(socket_address::<4>(rest)?),
        (6, rest) => Some(socket_address::<16>(rest)?),
        _ => return None,
    };
    Some(InviteCode { site: SiteId(*site), address, invite: InviteId(*invite), key: *key })
}

fn socket_address<const N: usize>(bytes: &[u8]) -> Option<SocketAddr>
where
    IpAddr: From<[u8; N]>,
{
    let (ip, port) = bytes.split_first_chunk::<N>()?;
    Some(SocketAddr::new(IpAddr::from(*ip), u16::from_le_bytes(port.try_into().ok()?)))
}

impl fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InviteCode(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(address: Option<&str>) -> InviteCode {
        let address = address.map(|a| a.parse().unwrap());
        InviteCode { site: SiteId([1; 20]), address, invite: InviteId([2; 16]), key: [3; 16] }
    }

    fn fields(code: &InviteCode) -> (SiteId, Option<SocketAddr>, InviteId, [u8; 16]) {
        (code.site, code.address, code.invite, code.key)
    }

    #[test]
    fn a_code_is_read_as_it_is_pasted() {
        for address in [None, Some("192.168.1.20:7410"), Some("[fd00::1]:7410")] {
            let code = code(address);
            let text = code.to_text();
            assert!(text.starts_with("SK1-") && !text.contains(char::is_whitespace));
            let wrapped = format!(" {}\r\n  {}\n", &text[..40], &text[40..]);
            for pasted in [text.to_string(), text.to_lowercase(), wrapped] {
                assert_eq!(fields(&pasted.parse().unwrap()), fields(&code), "{pasted}");
            }
        }
        assert_eq!(format!("{:?}", code(None)), "InviteCode(..)");
    }

    /// A newer agent invites, an older one joins.
    #[test]
    fn the_released_form_does_not_change() {
        let token = "SK1-040G2081040G2081040G2081040G2081081040G2081040G2081040G2081G60R30C1G60R30C1G60R30C1G9G5804AF473\
                     NDR9J4";
        let code = code(Some("192.168.1.20:7410"));
        assert_eq!(*code.to_text(), token);
        assert_eq!(fields(&token.parse().unwrap()), fields(&code));
    }

    #[test]
    fn what_is_no_code_is_told() {
        let text = code(Some("192.168.1.20:7410")).to_text().to_string();
        let parse = |text: &str| text.parse::<InviteCode>().unwrap_err();
        assert_eq!(parse(""), CodeError::NotACode);
        assert_eq!(parse("hello"), CodeError::NotACode);
        assert_eq!(parse("SK-"), CodeError::NotACode);
        assert_eq!(parse(&text.replace("SK1", "XX1")), CodeError::NotACode);
        assert_eq!(parse(&text.replace("SK1-", "sk2-")), CodeError::UnknownVersion("2".to_owned()));
        assert_eq!(parse("SK1-"), CodeError::WrongLength);
        assert_eq!(parse(&format!("SK1-{}", "0".repeat(600))), CodeError::WrongLength);
        assert_eq!(parse(&format!("{text}?")), CodeError::BadCharacter('?'));
        for at in PREFIX.len()..text.len() {
            let mut typed = text.clone();
            let other = if text.as_bytes()[at] == b'7' { "8" } else { "7" };
            typed.replace_range(at..=at, other);
            let error = parse(&typed);
            // The last letter has unused bits, which must be zero.
            let last = at == text.len() - 1 && error == CodeError::WrongLength;
            assert!(error == CodeError::WrongChecksum || last, "letter {at}: {error}");
        }
        for cut in PREFIX.len()..text.len() {
            parse(&text[..cut]);
        }
    }

    /// A code with a good checksum that this release never writes.
    #[test]
    fn an_unknown_kind_of_address_is_refused() {
        let mut body = [0; 53];
        body[52] = 9;
        let bytes = [body.as_slice(), &text::checksum::<4>(CHECKSUM_DOMAIN, &body)].concat();
        let token = format!("{PREFIX}{}", *text::encode(&bytes));
        assert_eq!(token.parse::<InviteCode>().unwrap_err(), CodeError::WrongLength);
    }
}
