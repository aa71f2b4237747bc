//! Templates as they are told to people.

use crate::{
    domain::library::{Fault, Template, Tier},
    error::{Kind, Report},
};

/// Why a template is not used, with its place.
pub fn refused(template: &Template, fault: &Fault) -> Report {
    let message = format!("the template `{}` cannot be used: {}", template.name, fault.message);
    let mut report = Report::new(Kind::Batch, message);
    report.hints.extend(fault.hint.clone());
    match template.path.as_ref().zip(fault.at) {
        Some((path, at)) => report.at(path.display().to_string(), at.line, at.column),
        None => report,
    }
}

/// Whose templates of the same name one hides: `hides the built-in one and the site's`;
/// `None`: nobody's.
pub fn hides(shadows: &[Tier]) -> Option<String> {
    let whose = shadows.iter().map(|tier| match tier {
        Tier::BuiltIn => "the built-in one",
        Tier::Site => "the site's",
        Tier::User => "yours",
    });
    let whose: Vec<&str> = whose.collect();
    (!whose.is_empty()).then(|| format!("hides {}", whose.join(" and ")))
}
