//! What the attributes refuse, and how they say so.

#[test]
fn mistakes_are_compile_errors_that_name_the_cure() {
    let cases = trybuild::TestCases::new();
    cases.pass("tests/ui/pass.rs");
    cases.compile_fail("tests/ui/fail_*.rs");
}
