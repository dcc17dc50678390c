//! The command `driftlab`.

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
