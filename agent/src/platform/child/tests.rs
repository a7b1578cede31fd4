use super::*;

#[test]
fn exits_are_passed_on_as_shells_do() {
    assert_eq!(Exit::Code(3).code(), 3);
    assert_eq!(Exit::Signal(15).code(), 143);
}

#[test]
fn a_program_that_does_not_start_has_its_code() {
    let check = |program: &str, code| {
        let mut command = std::process::Command::new(program);
        let error = command.spawn().map(drop).unwrap_err();
        assert_eq!(SpawnError::from_io(&command, error).code(), code, "{program}");
    };
    check("/no/such/program", 127);
    check("/etc/hostname", 126);
    check("/", 126);
}
