//! `seatkeeper-tests sim`: the simulator. `seatkeeper-tests story`: a story on it. `seatkeeper-tests bench`: the
//! benchmarks.

use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.split_first() {
        Some((command, rest)) if command == "sim" => seatkeeper_tests::sim::cli::main(rest),
        Some((command, rest)) if command == "story" => seatkeeper_tests::sim::script::main(rest),
        #[cfg(target_os = "linux")]
        Some((command, rest)) if command == "bench" => seatkeeper_tests::bench::main(rest),
        _ => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "usage: seatkeeper-tests sim|story|bench [--help]");
            ExitCode::from(2)
        }
    }
}
