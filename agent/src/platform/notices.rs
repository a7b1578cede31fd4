//! Desktop notices, where a desktop shows some: on Linux, by org.freedesktop.Notifications.

#[cfg(not(target_os = "linux"))]
use std::future::Future;
#[cfg(target_os = "linux")]
use std::time::Duration;

/// A notice server that hangs holds nobody up for longer.
#[cfg(target_os = "linux")]
const WITHIN: Duration = Duration::from_secs(5);

/// Whether this system has notices that are known here.
pub(crate) const THERE_ARE: bool = cfg!(target_os = "linux");

/// Shows a notice to the user of this process; why not, if it was not shown. An urgent one stays until it is seen.
#[cfg(target_os = "linux")]
pub(crate) async fn show(title: String, text: String, urgent: bool) -> Result<(), String> {
    let mut notice = notify_rust::Notification::new();
    notice.appname("Seatkeeper").icon("seatkeeper").summary(&title).body(&without_markup(&text));
    if urgent {
        notice.urgency(notify_rust::Urgency::Critical);
    }
    match tokio::time::timeout(WITHIN, notice.show_async()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the desktop does not answer".to_owned()),
    }
}

/// Shows a notice to the user of this process; why not, if it was not shown.
#[cfg(not(target_os = "linux"))]
pub(crate) fn show(
    _title: String,
    _text: String,
    _urgent: bool,
) -> impl Future<Output = Result<(), String>> + Send {
    std::future::ready(Err("notices are shown on Linux desktops only".to_owned()))
}

/// Desktops may read a text as markup, and names in it come from other machines.
#[cfg(target_os = "linux")]
fn without_markup(text: &str) -> String {
    super::dialog::shown(text).replace('&', "&amp;")
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn names_of_others_are_no_markup() {
        assert_eq!(super::without_markup("<a href=\"x\">R&D</a>\u{7}"), "‹a href=\"x\"›R&amp;D‹/a› ");
    }
}
