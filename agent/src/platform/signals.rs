//! Being told to stop, or that the terminal has another size.

use std::future::Future;

/// Completes when the agent is told to stop: SIGTERM or SIGINT.
///
/// The handlers stand when this returns, not when the future is first polled, so that a signal between the two is
/// not lost.
#[cfg(unix)]
pub fn shutdown() -> impl Future<Output = ()> + Send {
    use tokio::signal::unix::{Signal, SignalKind, signal};

    async fn told(signal: std::io::Result<Signal>) {
        match signal {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(error) => {
                tracing::error!(%error, "a signal handler could not be installed");
                std::future::pending().await
            }
        }
    }

    let terminate = signal(SignalKind::terminate());
    let interrupt = signal(SignalKind::interrupt());
    async move {
        tokio::select! {
            () = told(terminate) => {}
            () = told(interrupt) => {}
        }
    }
}

/// Completes when the agent is told to stop: Ctrl-C, Ctrl-Break, the console closes or the machine shuts down.
#[cfg(windows)]
pub fn shutdown() -> impl Future<Output = ()> + Send {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

    macro_rules! told {
        ($signal:expr) => {{
            let signal = $signal;
            async move {
                match signal {
                    Ok(mut signal) => {
                        signal.recv().await;
                    }
                    Err(error) => {
                        tracing::error!(%error, "a console handler could not be installed");
                        std::future::pending().await
                    }
                }
            }
        }};
    }

    let (c, brk) = (told!(ctrl_c()), told!(ctrl_break()));
    let (close, down) = (told!(ctrl_close()), told!(ctrl_shutdown()));
    async move {
        tokio::select! {
            () = c => {}
            () = brk => {}
            () = close => {}
            () = down => {}
        }
    }
}

/// Completes when the terminal has another size.
#[cfg(unix)]
pub async fn resized() {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::window_change()) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // It will be seen at the next look.
        Err(_) => std::future::pending().await,
    }
}

/// Windows tells only who reads the console's input.
#[cfg(windows)]
pub async fn resized() {
    std::future::pending().await
}

#[cfg(all(test, unix))]
mod tests {
    #[tokio::test]
    async fn a_signal_before_the_first_poll_is_not_lost() {
        let told = super::shutdown();
        rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::TERM).unwrap();
        tokio::time::timeout(std::time::Duration::from_secs(5), told).await.unwrap();
    }
}
