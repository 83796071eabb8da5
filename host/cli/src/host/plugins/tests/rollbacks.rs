use hookbox_core::attempt::Outcome;
use hookbox_core::trial::{Rule, Rules};
use hookbox_store::catalogue::{By, Ending, Standing};

use super::*;

fn rule(over: u32) -> Option<Rule> {
    Rule::new("50%".parse().unwrap(), over)
}

fn ruled(usual: Option<Rule>) -> Settings {
    Settings { rollbacks: Rules { usual, ..Rules::default() }, ..Settings::default() }
}

impl World {
    fn attempt_fails(&self, bytes: &[u8]) {
        let failed = Outcome::Permanent { message: "no".to_owned() };
        self.plugins.trials.count(&name(), digest(bytes), &failed);
    }

    async fn judge(&self) {
        for judged in self.plugins.trials.judged() {
            self.plugins.end_trial(judged).await.unwrap();
        }
    }

    /// Its trial fails.
    async fn fails(&self, bytes: &[u8]) {
        self.attempt_fails(bytes);
        self.judge().await;
    }

    fn standing(&self) -> Standing {
        self.row().active.unwrap().standing
    }
}

#[tokio::test]
async fn the_host_goes_back_as_long_as_a_version_fails_and_another_is_left() {
    let world = World::with(ruled(rule(1)));
    let versions: Vec<Vec<u8>> = (1..=4).map(version).collect();
    for bytes in &versions {
        world.propose(bytes).await;
    }
    // One is lost, and so passed over.
    world.lose(&versions[1]);
    let first = Some(digest(&versions[0]));
    for (failing, next, standing) in [(3, 2, Standing::OnTrial), (2, 0, Standing::Settled)] {
        world.fails(&versions[failing]).await;
        assert_eq!((world.serving(), world.standing()), (Some(digest(&versions[next])), standing));
    }
    let row = world.row();
    let rejected: Vec<_> = row.rejected.iter().map(|rejected| (rejected.digest, rejected.by)).collect();
    assert_eq!(rejected, [(digest(&versions[3]), By::Host), (digest(&versions[2]), By::Host)]);
    let ends =
        row.history.iter().filter_map(|past| past.ended).filter(|ended| ended.how == Ending::RolledBack(By::Host));
    assert_eq!((ends.count(), row.rollbacks.by_host), (2, 2));
    // It stays, whatever comes.
    world.fails(&versions[0]).await;
    assert_eq!((world.serving(), world.standing()), (first, Standing::Settled));
    // A new file is tried as ever, and those that failed are not gone back to.
    let new = version(5);
    world.propose(&new).await;
    world.fails(&new).await;
    assert_eq!(world.serving(), first);
}

#[tokio::test]
async fn a_version_that_was_good_is_not_tried_again_when_somebody_elses_server_is_away() {
    let world = World::with(ruled(rule(1)));
    let (one, two, three) = (version(1), version(2), version(3));
    world.propose(&one).await;
    world.propose(&two).await;
    // The second passes its trial.
    let completed = Outcome::Completed { output: None };
    world.plugins.trials.count(&name(), digest(&two), &completed);
    world.judge().await;
    assert_eq!(world.standing(), Standing::Settled);
    world.propose(&three).await;
    world.fails(&three).await;
    assert_eq!((world.serving(), world.standing()), (Some(digest(&two)), Standing::Settled));
    // Whatever it does.
    world.fails(&two).await;
    assert_eq!(world.serving(), Some(digest(&two)));
    let row = world.row();
    assert_eq!((row.rejected.len(), row.previous()), (1, Some(digest(&one))));
    // Nor after a restart.
    world.plugins.trials.go_on(&row);
    world.fails(&two).await;
    assert_eq!(world.serving(), Some(digest(&two)));
}

#[tokio::test]
async fn the_last_version_that_can_serve_stays_though_it_fails() {
    let world = World::with(ruled(rule(1)));
    let (one, two) = (version(1), version(2));
    world.propose(&one).await;
    world.propose(&two).await;
    world.lose(&one);
    world.fails(&two).await;
    assert_eq!((world.serving(), world.standing()), (Some(digest(&two)), Standing::Failed), "none is left");
}

#[tokio::test]
async fn what_the_host_has_against_the_file_in_the_folder_outlives_a_rollback() {
    let world = World::with(ruled(rule(1)));
    let (one, two) = (version(1), version(2));
    world.propose(&one).await;
    world.propose(&two).await;
    let broken = b"\0asm\x01\0\0\0";
    world.propose(broken).await;
    let refused = Some((Some(digest(broken)), "core-module".to_owned()));
    assert_eq!((world.serving(), world.refused()), (Some(digest(&two)), refused.clone()));
    // A version whose file is not there any longer is rolled back by the host.
    world.fails(&two).await;
    assert_eq!((world.serving(), world.refused()), (Some(digest(&one)), refused));
    assert!(world.row().rejection(digest(broken)).is_none(), "it never served");
    // The version that failed does not come back with its file.
    world.propose(&two).await;
    let kept_out = Some((Some(digest(&two)), "rolled-back".to_owned()));
    assert_eq!((world.serving(), world.refused()), (Some(digest(&one)), kept_out));
}

#[tokio::test]
async fn a_rule_that_changes_during_a_trial_begins_it_anew() {
    let world = World::with(ruled(rule(4)));
    let (one, two) = (version(1), version(2));
    world.propose(&one).await;
    world.propose(&two).await;
    world.attempt_fails(&two);
    // By the new rule two are enough, and the first was counted by the old one.
    world.plugins.engine.store(Arc::new(ruled(rule(3))));
    world.attempt_fails(&two);
    world.judge().await;
    assert_eq!((world.serving(), world.standing()), (Some(digest(&two)), Standing::OnTrial));
    world.attempt_fails(&two);
    // It changes between the verdict and the rollback.
    world.plugins.engine.store(Arc::new(ruled(rule(4))));
    world.judge().await;
    assert_eq!((world.serving(), world.standing()), (Some(digest(&two)), Standing::OnTrial));
    // Without a rule there is no trial, and with one again the version has none.
    world.plugins.engine.store(Arc::new(ruled(None)));
    world.plugins.reload().await.unwrap();
    assert_eq!(world.standing(), Standing::Settled);
    world.plugins.engine.store(Arc::new(ruled(rule(1))));
    world.fails(&two).await;
    assert_eq!(world.serving(), Some(digest(&two)));
}
