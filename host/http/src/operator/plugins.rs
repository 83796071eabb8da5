//! The plugins: which versions serve and served, and what operators want of them. Commands are rows of the store; the
//! host obeys them and writes down what came of it.

pub(super) mod push;
pub(super) mod rollback;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use hookbox_core::name::PluginName;
use hookbox_core::time::Millis;
use hookbox_store::PluginRow;
use hookbox_store::catalogue::{CommandAnswer, PluginCommand, Wish};

use super::query::{Named, Query};
use super::{Api, Operator};
use crate::lifecycle::Phase;
use crate::problem::Problem;
use crate::view::Page;
use crate::view::change::ChangesView;
use crate::view::grants::GrantsView;
use crate::view::plugin::{HandlerCostView, PluginDetailView, PluginView};

/// The longest wait for the host to obey: the largest plugins take ten seconds, and others may be before it.
const ANSWER_TIMEOUT: Millis = Millis(120_000);
/// Between two looks whether the host is going down.
const LOOK_EVERY: Millis = Millis(250);

pub(super) async fn list(State(operator): Api, uri: Uri) -> Result<Json<Page<PluginView>>, Problem> {
    Query::read(&uri, &[])?;
    Ok(Json(Page::whole(operator.store.catalogue().plugins().map(PluginView::of))))
}

pub(super) async fn show(
    State(operator): Api,
    Named(name): Named<PluginName>,
    uri: Uri,
) -> Result<Json<PluginDetailView>, Problem> {
    Query::read(&uri, &[])?;
    let row = row(&operator, &name)?;
    let denied = operator.store.denials(&name).await?;
    let grants = GrantsView::of(&operator.settings.load().of(&name));
    let cost = HandlerCostView::all(&operator.spending, &name);
    Ok(Json(PluginDetailView::of(&row, grants, &denied, cost)))
}

/// What happened after `after`, a number of an earlier answer; without it, all that is remembered.
pub(super) async fn changes(State(operator): Api, uri: Uri) -> Result<Json<ChangesView>, Problem> {
    let after = Query::read(&uri, &["after"])?.parsed("after")?;
    Ok(Json(ChangesView::of(&operator.changes.after(after))))
}

pub(super) fn row(operator: &Operator, name: &PluginName) -> Result<PluginRow, Problem> {
    let catalogue = operator.store.catalogue();
    let row = catalogue.plugin(name).cloned();
    row.ok_or_else(|| Problem::not_found().because(format!("there is no plugin {name}")))
}

/// Writes the command down; it is obeyed even where nobody waits for the answer.
async fn command(operator: &Operator, name: &PluginName, wish: Wish) -> Result<PluginCommand, Problem> {
    let command = PluginCommand { asked: operator.clock.now(), wish, answer: None };
    match operator.store.command_plugin(name, command.clone()).await? {
        true => Ok(command),
        false => Err(under_way(name)),
    }
}

fn under_way(name: &PluginName) -> Problem {
    let told = format!("another change of {name} is under way: try again when `hookbox plugins watch` shows its end");
    Problem::conflict().because(told)
}

/// Waits until the host has obeyed.
async fn answer(operator: &Operator, name: &PluginName, command: &PluginCommand) -> Result<PluginView, Problem> {
    let until_stopped = async {
        while operator.lifecycle.phase() != Phase::Draining {
            tokio::time::sleep(LOOK_EVERY.as_duration()).await;
        }
    };
    let answered = tokio::select! {
        biased;
        answered = answered(operator, name, command) => Some(answered),
        () = tokio::time::sleep(ANSWER_TIMEOUT.as_duration()) => None,
        () = until_stopped => None,
    };
    let Some(answered) = answered else {
        let told = format!("the host has not come to it yet, and will: look with `hookbox plugins show {name}`");
        return Err(Problem::for_now().because(told).and_done());
    };
    let Some(answer) = answered else {
        let told = format!(
            "another command for {name} came meanwhile: look at what became of this one with `hookbox plugins show {name}`"
        );
        return Err(Problem::conflict().because(told));
    };
    match answer.refused {
        None => Ok(PluginView::of(&row(operator, name)?)),
        Some(refused) => Err(Problem::refused_plugin().because(refused.reason).caused_by(refused.code)),
    }
}

/// Nothing where another command has taken its place by now: then it was answered.
async fn answered(operator: &Operator, name: &PluginName, asked: &PluginCommand) -> Option<CommandAnswer> {
    loop {
        let mut changed = std::pin::pin!(operator.store.signals().catalogue.notified());
        // From here on no change is missed.
        changed.as_mut().enable();
        let catalogue = operator.store.catalogue();
        let same = |kept: &&PluginCommand| kept.asked == asked.asked && kept.wish == asked.wish;
        match catalogue.commands().get(name).filter(same) {
            None => return None,
            Some(PluginCommand { answer: Some(answer), .. }) => return Some(answer.clone()),
            Some(_) => {}
        }
        drop(catalogue);
        changed.await;
    }
}
