//! `hookbox import celery`, and `hookbox check` of what it wrote.

use std::fs;
use std::path::Path;

use crate::harness::Project;

#[test]
fn what_is_imported_from_celery_passes_the_check_and_is_served() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../host/cli/src/import/fixtures");
    let mut names: Vec<_> = fs::read_dir(&fixtures).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert!(names.len() >= 5, "{names:?}");
    for name in names {
        let name = name.into_string().unwrap();
        let project = Project::with(&[]);
        fs::copy(fixtures.join(&name), project.path(&name)).unwrap();
        let said = project.run(&["import", "celery", &name, "--out", "hooks.yaml", "--json"]).json();
        assert!(said["carried"].as_u64().unwrap() > 1, "{said}");
        let check = project.run(&["check", "--json"]).json();
        assert_eq!(check["mistakes"], serde_json::json!([]), "{name}: {check:#}");
        assert!(!project.path("this-file-was-run").exists(), "the file was run");
        let again = project.run(&["import", "celery", &name, "--out", "hooks.yaml"]);
        assert_eq!(again.code, Some(1), "{again:?}");
        if name == "documentation.py" {
            let host = project.serve();
            let schedules = host.all("schedules");
            assert_eq!(schedules.len() as u64, said["carried"].as_u64().unwrap());
        }
    }
}
