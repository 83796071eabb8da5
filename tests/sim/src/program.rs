//! What a scripted handler does with its keys and the queue: the same for the
//! same run and attempt, however often and wherever it is executed.

use hookbox_core::attempt::Call;
use hookbox_core::effects::{EventRequest, JobRequest};
use hookbox_core::id::{EventId, JobId, RunId};
use hookbox_core::name::HandlerRef;
use hookbox_core::time::Millis;
use hookbox_core::transaction::{Page, Transaction, Unanswered};

use crate::rng::Rng;

/// One call of `kv`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Op {
    Get(String),
    Set { key: String, value: String, ttl: Option<Millis> },
    Delete(String),
    Add(String, i64),
    Increment(String, i64),
    Swap { key: String, expected: Option<String>, new: Option<String> },
    List(String),
}

/// What the handler was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    Nothing,
    Value(Option<String>),
    Was(bool),
    Sum(i64),
    Keys(Vec<String>),
    WrongType,
}

pub(crate) struct Program {
    pub(crate) ops: Vec<Op>,
    pub(crate) jobs: Vec<JobRequest>,
    pub(crate) events: Vec<EventRequest>,
    /// Before each call of `kv`, and one more at the end.
    pub(crate) pauses: Vec<Pause>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pause {
    None,
    Yield,
    Sleep(Millis),
}

const KEYS: [&str; 5] = ["a", "b", "n/1", "n/2", "n/3"];

impl Program {
    /// `ops_max`: calls of `kv`. `offspring`: one attempt in so many makes jobs and events; zero: none does.
    pub(crate) fn of(seed: u64, call: &Call, ops_max: u64, offspring: u64) -> Program {
        let mut rng = Rng::of(seed, &[&call.run.to_bytes(), &call.attempt.to_be_bytes()]);
        let ops: Vec<Op> = (0..rng.below(ops_max + 1)).map(|_| op(&mut rng)).collect();
        let pauses = (0..=ops.len()).map(|_| match rng.below(6) {
            0 => Pause::Yield,
            1 => Pause::Sleep(Millis(rng.between(1, 40))),
            _ => Pause::None,
        });
        let pauses = pauses.collect();
        let (mut jobs, mut events) = (Vec::new(), Vec::new());
        if offspring > 0 && rng.one_in(offspring) {
            jobs.extend((0..rng.below(3)).map(|_| job(&mut rng, call)));
            events.extend((0..rng.below(2)).map(|_| event(&mut rng, call)));
        }
        Program { ops, jobs, events, pauses }
    }
}

fn op(rng: &mut Rng) -> Op {
    let key = KEYS[rng.below(KEYS.len() as u64) as usize].to_owned();
    let value = |rng: &mut Rng| match rng.below(8) {
        0 => "text".to_owned(),
        _ => rng.below(4).to_string(),
    };
    let delta = |rng: &mut Rng| rng.below(5) as i64 - 2;
    match rng.below(12) {
        0..=2 => Op::Get(key),
        3 | 4 => {
            let ttl = rng.one_in(5).then(|| Millis(rng.between(1, 20) * 1000));
            Op::Set { key, value: value(rng), ttl }
        }
        5 => Op::Delete(key),
        6 | 7 => Op::Add(key, delta(rng)),
        8 | 9 => Op::Increment(key, delta(rng)),
        10 => {
            let expected = (!rng.one_in(3)).then(|| value(rng));
            Op::Swap { key, expected, new: (!rng.one_in(4)).then(|| value(rng)) }
        }
        _ => Op::List(if rng.one_in(2) { "n/" } else { "" }.to_owned()),
    }
}

/// As the sandbox makes them: the ids follow from the run, the attempt and the number.
fn job(rng: &mut Rng, call: &Call) -> JobRequest {
    let (id, run) = (rng.next(), rng.next());
    JobRequest {
        id: JobId::new(call.started, u128::from(id)),
        run: RunId::new(call.started, u128::from(run)),
        target: HandlerRef { handler: "work".parse().unwrap(), ..call.target.clone() },
        content_type: "application/json".to_owned(),
        data: b"{}".to_vec(),
        run_at: rng.one_in(3).then(|| call.started.plus(Millis(rng.below(60_000)))),
        unique_key: rng.one_in(3).then(|| format!("u{}", rng.below(2))),
    }
}

fn event(rng: &mut Rng, call: &Call) -> EventRequest {
    EventRequest {
        id: EventId::new(call.started, u128::from(rng.next())),
        namespace: call.target.plugin.to_string(),
        event_type: "made".to_owned(),
        subject: None,
        content_type: "application/json".to_owned(),
        data: b"{}".to_vec(),
    }
}

impl Op {
    pub(crate) fn ask(&self, transaction: &mut Transaction) -> Result<Answer, Unanswered> {
        match self {
            Op::Get(key) => transaction.get(key).map(|value| Answer::Value(value.map(text))),
            Op::Set { key, value, ttl } => transaction.set(key, value.as_bytes(), *ttl).map(|()| Answer::Nothing),
            Op::Delete(key) => transaction.delete(key).map(Answer::Was),
            Op::Add(key, delta) => transaction.add(key, *delta).map(|()| Answer::Nothing),
            Op::Increment(key, delta) => transaction.increment(key, *delta).map(Answer::Sum),
            Op::Swap { key, expected, new } => {
                let bytes = |text: &Option<String>| text.as_ref().map(|text| text.clone().into_bytes());
                let (expected, new) = (bytes(expected), bytes(new));
                transaction.compare_and_swap(key, expected.as_deref(), new.as_deref()).map(Answer::Was)
            }
            Op::List(prefix) => transaction.list(prefix, None).map(|Page { keys, .. }| Answer::Keys(keys)),
        }
    }
}

impl Op {
    /// Empty where it is about several.
    pub(crate) fn key(&self) -> &str {
        match self {
            Op::Get(key) | Op::Set { key, .. } | Op::Delete(key) | Op::Add(key, _) => key,
            Op::Increment(key, _) | Op::Swap { key, .. } => key,
            Op::List(_) => "",
        }
    }

    /// Whether the attempt wrote the key where it was told this.
    pub(crate) fn writes(&self, told: &Answer) -> bool {
        match self {
            Op::Get(_) | Op::List(_) => false,
            Op::Set { .. } => true,
            // What was not there is not taken away.
            Op::Swap { expected: None, new: None, .. } => false,
            Op::Delete(_) | Op::Swap { .. } => *told == Answer::Was(true),
            Op::Add(..) | Op::Increment(..) => *told != Answer::WrongType,
        }
    }
}

pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
