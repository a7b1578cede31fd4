//! The Windows calls that no safe wrapper offers, each behind a small safe function. All `unsafe` of the agent is here.
#![allow(
    unsafe_code,
    reason = "Windows offers clocks, tokens and process lists only through its C interface"
)]

use std::ffi::{OsStr, c_void};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::windows::ffi::OsStrExt;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle, RawHandle};
use std::ptr::{null, null_mut};

use tokio::net::windows::named_pipe::{NamedPipeServer, ServerOptions};
use windows_sys::Win32::Foundation::{
    ERROR_NO_MORE_FILES, FILETIME, GetLastError, INVALID_HANDLE_VALUE, LocalFree, WAIT_OBJECT_0,
};
use windows_sys::Win32::Security::Authorization::ConvertStringSecurityDescriptorToSecurityDescriptorW;
use windows_sys::Win32::Security::{
    GetTokenInformation, LookupAccountSidW, SECURITY_ATTRIBUTES, TOKEN_ELEVATION, TOKEN_QUERY, TOKEN_USER,
    TokenElevation, TokenUser,
};
use windows_sys::Win32::Storage::FileSystem::GetDiskFreeSpaceExW;
use windows_sys::Win32::System::Console::{
    CONSOLE_SCREEN_BUFFER_INFO, ENABLE_VIRTUAL_TERMINAL_PROCESSING, GetConsoleMode,
    GetConsoleScreenBufferInfo, GetStdHandle, STD_ERROR_HANDLE, STD_OUTPUT_HANDLE, SetConsoleMode,
};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, PROCESSENTRY32W, Process32FirstW, Process32NextW, TH32CS_SNAPPROCESS,
};
use windows_sys::Win32::System::Performance::{QueryPerformanceCounter, QueryPerformanceFrequency};
use windows_sys::Win32::System::Pipes::GetNamedPipeClientProcessId;
use windows_sys::Win32::System::Power::{GetSystemPowerStatus, SYSTEM_POWER_STATUS};
use windows_sys::Win32::System::RemoteDesktop::{
    WTS_CURRENT_SERVER_HANDLE, WTS_INFO_CLASS, WTSActive, WTSDomainName, WTSEnumerateSessionsW,
    WTSFreeMemory, WTSQuerySessionInformationW, WTSUserName,
};
use windows_sys::Win32::System::SystemInformation::GetTickCount;
use windows_sys::Win32::System::Threading::{
    GetProcessTimes, OpenProcess, OpenProcessToken, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SYNCHRONIZE,
    WaitForSingleObject,
};
use windows_sys::Win32::UI::Input::KeyboardAndMouse::{GetLastInputInfo, LASTINPUTINFO};

/// A user account.
pub(crate) struct Account {
    /// `DOMAIN\name`.
    pub(crate) name: String,
    /// Whether it acts with an administrator's rights.
    pub(crate) elevated: bool,
}

/// A process in a snapshot.
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
}

/// Milliseconds since boot by the performance counter, which counts suspend.
pub(crate) fn boot_ms() -> u64 {
    let (mut count, mut frequency) = (0i64, 0i64);
    // SAFETY: both calls only write the number they are given.
    unsafe {
        QueryPerformanceCounter(&mut count);
        QueryPerformanceFrequency(&mut frequency);
    }
    let ms = i128::from(count) * 1_000 / i128::from(frequency.max(1));
    u64::try_from(ms).unwrap_or(0)
}

/// Whether the machine has a system battery; `false` when it doesn't say.
pub(crate) fn has_battery() -> bool {
    const NO_SYSTEM_BATTERY: u8 = 128;
    const UNKNOWN: u8 = 255;
    // SAFETY: the structure is plain numbers, for which zero is a value, and the call only writes it.
    let (known, status) = unsafe {
        let mut status: SYSTEM_POWER_STATUS = zeroed();
        (GetSystemPowerStatus(&mut status) != 0, status)
    };
    known && status.BatteryFlag != UNKNOWN && status.BatteryFlag & NO_SYSTEM_BATTERY == 0
}

/// Columns and rows of the console that standard output goes to.
pub(crate) fn console_size() -> Option<(u16, u16)> {
    // SAFETY: the structure is plain numbers, for which zero is a value, and the call only writes it.
    let (known, info) = unsafe {
        let mut info: CONSOLE_SCREEN_BUFFER_INFO = zeroed();
        (GetConsoleScreenBufferInfo(GetStdHandle(STD_OUTPUT_HANDLE), &mut info) != 0, info)
    };
    let window = info.srWindow;
    let length = |from: i16, to: i16| u16::try_from(i32::from(to) - i32::from(from) + 1).ok();
    let (columns, rows) = (length(window.Left, window.Right)?, length(window.Top, window.Bottom)?);
    (known && columns > 0 && rows > 0).then_some((columns, rows))
}

/// Has the console of standard output, or of standard error, take escape sequences; whether it does.
pub(crate) fn console_understands_escapes(error: bool) -> bool {
    // SAFETY: the calls take a handle that the system gave, and write the number they are given.
    unsafe {
        let console = GetStdHandle(if error { STD_ERROR_HANDLE } else { STD_OUTPUT_HANDLE });
        let mut mode = 0;
        GetConsoleMode(console, &mut mode) != 0
            && SetConsoleMode(console, mode | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0
    }
}

/// For how long the session of this process has had no input, milliseconds; `None` in one that has none.
pub(crate) fn without_input_ms() -> Option<u32> {
    let mut last =
        LASTINPUTINFO { cbSize: u32::try_from(size_of::<LASTINPUTINFO>()).unwrap_or(0), dwTime: 0 };
    // SAFETY: the structure says its true size, and the call only writes it; the other has no argument.
    let (known, now) = unsafe { (GetLastInputInfo(&mut last) != 0, GetTickCount()) };
    // Both count milliseconds since the start, and begin anew after 49.7 days.
    known.then(|| now.wrapping_sub(last.dwTime))
}

/// Creates an instance of a pipe that every signed-in user may read and write but not impersonate by an instance of
/// their own; the default rights would let a service's pipe be used by administrators only.
pub(crate) fn create_pipe(path: &OsStr, first: bool) -> io::Result<NamedPipeServer> {
    // 0x12019b: read and write without FILE_CREATE_PIPE_INSTANCE. The owner, the system and administrators: everything.
    let rights: Vec<u16> =
        OsStr::new("D:(A;;0x12019b;;;AU)(A;;FA;;;SY)(A;;FA;;;BA)(A;;FA;;;OW)\0").encode_wide().collect();
    let mut descriptor: *mut c_void = null_mut();
    // SAFETY: the text ends with zero; the descriptor is freed below, after its last use.
    let converted = unsafe {
        ConvertStringSecurityDescriptorToSecurityDescriptorW(rights.as_ptr(), 1, &mut descriptor, null_mut())
    };
    if converted == 0 {
        return Err(io::Error::last_os_error());
    }
    let mut attributes = SECURITY_ATTRIBUTES {
        nLength: u32::try_from(size_of::<SECURITY_ATTRIBUTES>()).unwrap_or(0),
        lpSecurityDescriptor: descriptor,
        bInheritHandle: 0,
    };
    // SAFETY: the attributes and their descriptor live until the call returns, and the system copies them.
    unsafe {
        let pipe = ServerOptions::new()
            .first_pipe_instance(first)
            .create_with_security_attributes_raw(path, (&raw mut attributes).cast());
        LocalFree(descriptor);
        pipe
    }
}

/// Shows a message box and waits until it is closed: whether by OK. `choice`: it has a Cancel too.
pub(crate) fn message_box(title: &str, text: &str, choice: bool) -> bool {
    use windows_sys::Win32::UI::WindowsAndMessaging::{
        IDOK, MB_ICONWARNING, MB_OK, MB_OKCANCEL, MB_SETFOREGROUND, MessageBoxW,
    };

    let wide = |text: &str| -> Vec<u16> {
        let text = text.replace('\0', " ");
        OsStr::new(&text).encode_wide().chain([0]).collect()
    };
    let (text, title) = (wide(text), wide(title));
    let style = MB_ICONWARNING | MB_SETFOREGROUND | if choice { MB_OKCANCEL } else { MB_OK };
    // SAFETY: both texts end with zero and live until the call returns; no window owns the box.
    unsafe { MessageBoxW(null_mut(), text.as_ptr(), title.as_ptr(), style) == IDOK }
}

/// The process at the other end of a pipe.
pub(crate) fn pipe_client(pipe: &NamedPipeServer) -> io::Result<u32> {
    let mut pid = 0;
    // SAFETY: the handle is open as long as the borrow lasts.
    match unsafe { GetNamedPipeClientProcessId(pipe.as_raw_handle().cast(), &mut pid) } {
        0 => Err(io::Error::last_os_error()),
        _ => Ok(pid),
    }
}

/// The account that a process runs under.
pub(crate) fn account_of(pid: u32) -> io::Result<Account> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION)?;
    let mut raw = null_mut();
    // SAFETY: the process handle is open; the token's handle is owned at once.
    let token = unsafe {
        if OpenProcessToken(process.as_raw_handle().cast(), TOKEN_QUERY, &mut raw) == 0 {
            return Err(io::Error::last_os_error());
        }
        OwnedHandle::from_raw_handle(raw as RawHandle)
    };
    Ok(Account { name: user_of(&token)?, elevated: is_elevated(&token)? })
}

fn user_of(token: &OwnedHandle) -> io::Result<String> {
    // Aligned for TOKEN_USER; a SID has at most 68 bytes.
    let mut buffer = [0u64; 32];
    let bytes = u32::try_from(size_of::<[u64; 32]>()).unwrap_or(0);
    let mut used = 0;
    let (mut name, mut domain) = ([0u16; 257], [0u16; 257]);
    let (mut name_len, mut domain_len, mut kind) = (257u32, 257u32, 0);
    // SAFETY: each call is told the true length of the buffer it writes; the SID lies in `buffer`.
    let known = unsafe {
        let read = GetTokenInformation(
            token.as_raw_handle().cast(),
            TokenUser,
            buffer.as_mut_ptr().cast(),
            bytes,
            &mut used,
        );
        read != 0 && {
            let user = &*buffer.as_ptr().cast::<TOKEN_USER>();
            LookupAccountSidW(
                null(),
                user.User.Sid,
                name.as_mut_ptr(),
                &mut name_len,
                domain.as_mut_ptr(),
                &mut domain_len,
                &mut kind,
            ) != 0
        }
    };
    if !known {
        return Err(io::Error::last_os_error());
    }
    let text = |wide: &[u16], len: u32| {
        let len = usize::try_from(len).unwrap_or(0).min(wide.len());
        String::from_utf16_lossy(&wide[..len])
    };
    Ok(format!(r"{}\{}", text(&domain, domain_len), text(&name, name_len)))
}

fn is_elevated(token: &OwnedHandle) -> io::Result<bool> {
    let mut elevation = TOKEN_ELEVATION { TokenIsElevated: 0 };
    let mut used = 0;
    // SAFETY: the call is told the true length of the structure it writes.
    let read = unsafe {
        GetTokenInformation(
            token.as_raw_handle().cast(),
            TokenElevation,
            (&raw mut elevation).cast(),
            u32::try_from(size_of::<TOKEN_ELEVATION>()).unwrap_or(0),
            &mut used,
        )
    };
    if read == 0 { Err(io::Error::last_os_error()) } else { Ok(elevation.TokenIsElevated != 0) }
}

/// When a process began (100 ns since 1601); an error when it does not exist or has ended.
pub(crate) fn started(pid: u32) -> io::Result<u64> {
    let process = open(pid, PROCESS_QUERY_LIMITED_INFORMATION | PROCESS_SYNCHRONIZE)?;
    let zero = FILETIME { dwLowDateTime: 0, dwHighDateTime: 0 };
    let (mut begun, mut ended, mut kernel, mut user) = (zero, zero, zero, zero);
    // SAFETY: the handle is open; the calls only write the four times.
    let (over, read) = unsafe {
        (
            // A process whose handle somebody keeps still has an entry after its end.
            WaitForSingleObject(process.as_raw_handle().cast(), 0) == WAIT_OBJECT_0,
            GetProcessTimes(process.as_raw_handle().cast(), &mut begun, &mut ended, &mut kernel, &mut user),
        )
    };
    match (over, read) {
        (true, _) => Err(io::ErrorKind::NotFound.into()),
        (false, 0) => Err(io::Error::last_os_error()),
        (false, _) => Ok(u64::from(begun.dwHighDateTime) << 32 | u64::from(begun.dwLowDateTime)),
    }
}

/// Every process and its parent.
pub(crate) fn processes() -> io::Result<Vec<Process>> {
    // SAFETY: the snapshot's handle is owned at once; the entry is plain numbers and says its true size.
    unsafe {
        let raw = CreateToolhelp32Snapshot(TH32CS_SNAPPROCESS, 0);
        if raw == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        let snapshot = OwnedHandle::from_raw_handle(raw as RawHandle);
        let mut entry: PROCESSENTRY32W = zeroed();
        entry.dwSize = u32::try_from(size_of::<PROCESSENTRY32W>()).unwrap_or(0);
        let mut found = Vec::new();
        let mut more = Process32FirstW(snapshot.as_raw_handle().cast(), &mut entry);
        while more != 0 {
            found.push(Process { pid: entry.th32ProcessID, parent: entry.th32ParentProcessID });
            more = Process32NextW(snapshot.as_raw_handle().cast(), &mut entry);
        }
        match GetLastError() {
            ERROR_NO_MORE_FILES => Ok(found),
            _ => Err(io::Error::last_os_error()),
        }
    }
}

/// The users of the active sessions, as `DOMAIN\name`; empty when Windows doesn't say.
pub(crate) fn active_users() -> Vec<String> {
    let (mut sessions, mut count) = (null_mut(), 0);
    // SAFETY: the call writes a list of its own and how long it is; the list is copied from and freed once.
    let active: Vec<u32> = unsafe {
        if WTSEnumerateSessionsW(WTS_CURRENT_SERVER_HANDLE, 0, 1, &mut sessions, &mut count) == 0 {
            return Vec::new();
        }
        if sessions.is_null() {
            return Vec::new();
        }
        let list = std::slice::from_raw_parts(sessions, usize::try_from(count).unwrap_or(0));
        let active = list.iter().filter(|session| session.State == WTSActive);
        let active = active.map(|session| session.SessionId).collect();
        WTSFreeMemory(sessions.cast());
        active
    };
    let name = |session| {
        let name = session_text(session, WTSUserName)?;
        match session_text(session, WTSDomainName) {
            Some(domain) => Some(format!(r"{domain}\{name}")),
            None => Some(name),
        }
    };
    active.into_iter().filter_map(name).collect()
}

/// What Windows says of a session; `None`: nothing.
fn session_text(session: u32, what: WTS_INFO_CLASS) -> Option<String> {
    let (mut text, mut bytes) = (null_mut(), 0);
    // SAFETY: the call writes a text of its own and how long it is, with the zero at its end; it is freed once.
    unsafe {
        if WTSQuerySessionInformationW(WTS_CURRENT_SERVER_HANDLE, session, what, &mut text, &mut bytes) == 0 {
            return None;
        }
        if text.is_null() {
            return None;
        }
        let wide = std::slice::from_raw_parts(text, usize::try_from(bytes).unwrap_or(0) / 2);
        let said = String::from_utf16_lossy(wide.split(|unit| *unit == 0).next().unwrap_or_default());
        WTSFreeMemory(text.cast());
        (!said.is_empty()).then_some(said)
    }
}

/// What this user may still write on the disk of a folder, and what it holds in all, bytes.
pub(crate) fn space(folder: &std::path::Path) -> io::Result<(u64, u64)> {
    let wide: Vec<u16> = folder.as_os_str().encode_wide().chain([0]).collect();
    let (mut free, mut total) = (0u64, 0u64);
    // SAFETY: the name ends with a zero; the call only writes the two numbers.
    let known = unsafe { GetDiskFreeSpaceExW(wide.as_ptr(), &mut free, &mut total, null_mut()) };
    if known == 0 { Err(io::Error::last_os_error()) } else { Ok((free, total)) }
}

fn open(pid: u32, rights: u32) -> io::Result<OwnedHandle> {
    // SAFETY: the handle is owned at once.
    unsafe {
        let raw = OpenProcess(rights, 0, pid);
        if raw.is_null() {
            return Err(io::Error::last_os_error());
        }
        Ok(OwnedHandle::from_raw_handle(raw as RawHandle))
    }
}
