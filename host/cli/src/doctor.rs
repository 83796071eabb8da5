//! `hookbox doctor`: looks at everything that a host stands on, and says the cure of what is wrong.

mod clock;
mod files;
mod secrets;
mod store;
mod toolchains;

use anyhow::Result;
use serde_json::json;

use crate::args::{DoctorArgs, ProjectArgs};
use crate::check::{self, Told};
use crate::client::Client;
use crate::inspect::{self, Print};
use crate::project::{self, Mistakes, Project};

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    Ok,
    /// A host works, and somebody should look at it.
    Warning,
    /// A host does not start, or does not keep its promises.
    Fault,
}

/// One thing that was looked at.
#[derive(Debug)]
struct Finding {
    part: &'static str,
    level: Level,
    what: String,
    /// What to do; nothing where all is well.
    cure: Option<String>,
}

/// Everything that was found.
#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn ok(&mut self, part: &'static str, what: impl Into<String>) {
        self.0.push(Finding { part, level: Level::Ok, what: what.into(), cure: None });
    }

    fn warning(&mut self, part: &'static str, what: impl Into<String>, cure: impl Into<String>) {
        self.0.push(Finding { part, level: Level::Warning, what: what.into(), cure: Some(cure.into()) });
    }

    fn fault(&mut self, part: &'static str, what: impl Into<String>, cure: impl Into<String>) {
        self.0.push(Finding { part, level: Level::Fault, what: what.into(), cure: Some(cure.into()) });
    }
}

/// True if a host works here; warnings alone do not keep it from that.
pub(crate) fn doctor(args: &DoctorArgs, client: impl FnOnce() -> Result<Client>, print: Print) -> Result<bool> {
    if let Some(data) = &args.data {
        return store::check(data, args.has.as_deref(), print);
    }
    let mut findings = Findings::default();
    let project = project_of(args, &mut findings)?;
    if let Some(project) = &project {
        secrets::look(project, &mut findings);
        files::look(project, &mut findings);
        clock::look(project, &mut findings);
        toolchains::look(&project.plugins, &mut findings);
        store::look(project, client, &mut findings);
    }
    let well = !findings.0.iter().any(|finding| finding.level == Level::Fault);
    told(&findings, well, print)?;
    Ok(well)
}

/// Without a configuration that reads, nobody knows where the rest is.
fn project_of(args: &DoctorArgs, findings: &mut Findings) -> Result<Option<Project>> {
    const PART: &str = "config";
    let shown = args.config.display();
    let mistaken = |error: anyhow::Error| -> Result<Vec<String>> {
        let Mistakes(mistakes) = error.downcast::<Mistakes>()?;
        Ok(mistakes)
    };
    let config = match project::read_config(&args.config) {
        Ok(config) => config,
        Err(error) => {
            for mistake in mistaken(error)? {
                findings.fault(PART, mistake, format!("mend it in {shown}; `hookbox check` tells when it is right"));
            }
            return Ok(None);
        }
    };
    let places = ProjectArgs { config: args.config.clone(), plugins: args.plugins.clone(), data: None };
    let project = Project::with(&places, config)?;
    let Told { mistakes, warnings } = check::without_plugins(&project);
    let starts = mistakes.is_empty();
    for mistake in mistakes {
        findings.fault(PART, mistake, "mend it: a host does not start so");
    }
    for warning in warnings {
        findings.warning(PART, warning, "see to what it says; `hookbox check` tells when it is right");
    }
    if starts {
        match args.config.exists() {
            true => findings.ok(PART, format!("{shown} reads")),
            false => findings.ok(PART, format!("there is no {shown}: the defaults count")),
        }
    }
    Ok(Some(project))
}

fn told(findings: &Findings, well: bool, print: Print) -> Result<()> {
    let code = |level| match level {
        Level::Ok => "ok",
        Level::Warning => "warning",
        Level::Fault => "fault",
    };
    if print == Print::Json {
        let shown = findings.0.iter().map(|Finding { part, level, what, cure }| {
            json!({ "part": part, "level": code(*level), "what": what, "cure": cure })
        });
        return inspect::json(&json!({ "well": well, "findings": shown.collect::<Vec<_>>() }));
    }
    for Finding { part, level, what, cure } in &findings.0 {
        say!("{:<8} {part:<10} {what}", code(*level));
        if let Some(cure) = cure {
            say!("{:<19} cure: {cure}", "");
        }
    }
    let warnings = findings.0.iter().filter(|finding| finding.level == Level::Warning).count();
    match (well, warnings) {
        (true, 0) => say!("All is well."),
        (true, _) => say!("A host works here. Somebody should look at {warnings} warnings."),
        (false, _) => say!("Not all is well."),
    }
    Ok(())
}
