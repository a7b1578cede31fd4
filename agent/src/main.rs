//! The `seatkeeper` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    seatkeeper::cli::main()
}
