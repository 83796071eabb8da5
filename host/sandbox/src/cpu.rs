//! CPU time of one attempt: what its thread computes while the attempt's future is polled, in the guest and in the host
//! functions that it calls. Waiting costs nothing, and neither does a thread that has to give way to others.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context, Poll};
use std::time::Duration;

use hookbox_core::time::Millis;
use rustix::time::{ClockId, clock_gettime};

const NOT_POLLED: u64 = u64::MAX;

/// Shared by the future and by the guest's store, which asks in the midst of a poll: they are on one thread then, and
/// whoever moves the future to another orders what is done before and after.
#[derive(Debug)]
pub(crate) struct CpuBudget {
    most: Millis,
    /// Of the polls that have ended.
    spent_ns: AtomicU64,
    /// What the thread's clock showed when the poll under way began.
    began_ns: AtomicU64,
    exceeded: AtomicBool,
}

impl CpuBudget {
    pub(crate) fn new(most: Millis) -> CpuBudget {
        let (spent_ns, began_ns) = (AtomicU64::new(0), AtomicU64::new(NOT_POLLED));
        CpuBudget { most, spent_ns, began_ns, exceeded: AtomicBool::new(false) }
    }

    pub(crate) fn most(&self) -> Millis {
        self.most
    }

    pub(crate) fn spent(&self) -> Duration {
        Duration::from_nanos(self.spent_ns())
    }

    /// Whether it was found spent by [`check`](Self::check).
    pub(crate) fn is_exceeded(&self) -> bool {
        self.exceeded.load(Relaxed)
    }

    /// Whether more is spent than there is. Once it is, it stays so.
    pub(crate) fn check(&self) -> bool {
        if self.spent_ns() > self.most.0.saturating_mul(1_000_000) {
            self.exceeded.store(true, Relaxed);
        }
        self.is_exceeded()
    }

    fn spent_ns(&self) -> u64 {
        let under_way = match self.began_ns.load(Relaxed) {
            NOT_POLLED => 0,
            began => thread_ns().saturating_sub(began),
        };
        self.spent_ns.load(Relaxed).saturating_add(under_way)
    }

    fn begin(&self) {
        self.began_ns.store(thread_ns(), Relaxed);
    }

    fn end(&self) {
        self.spent_ns.store(self.spent_ns(), Relaxed);
        self.began_ns.store(NOT_POLLED, Relaxed);
    }
}

/// Work within a budget. It ends with nothing where a poll ended beyond it and the work was not done.
pub(crate) struct Budgeted<F> {
    work: Pin<Box<F>>,
    budget: Arc<CpuBudget>,
}

impl<F> Budgeted<F> {
    pub(crate) fn new(work: F, budget: Arc<CpuBudget>) -> Budgeted<F> {
        Budgeted { work: Box::pin(work), budget }
    }
}

impl<F: Future> Future for Budgeted<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<F::Output>> {
        self.budget.begin();
        let polled = self.work.as_mut().poll(context);
        self.budget.end();
        match polled {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if self.budget.check() => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// What this thread has computed since it began. It limits and is told; nothing is decided by it.
fn thread_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let part = |of: i64| u64::try_from(of).unwrap_or_default();
    part(time.tv_sec).saturating_mul(1_000_000_000).saturating_add(part(time.tv_nsec))
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Waker;

    use super::*;

    fn computes(ms: u64) {
        let end = thread_ns() + ms * 1_000_000;
        while thread_ns() < end {}
    }

    /// Computes so long in each of so many polls.
    async fn work(ms: u64, polls: u32) {
        let mut left = polls;
        poll_fn(|context| {
            computes(ms);
            left -= 1;
            context.waker().wake_by_ref();
            if left == 0 { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// What becomes of it, and in how many polls.
    fn run<F: Future>(work: F, budget: &Arc<CpuBudget>) -> (Option<F::Output>, u32) {
        let mut work = Budgeted::new(work, Arc::clone(budget));
        for polls in 1.. {
            // What is between two polls is not the work's.
            computes(1);
            if let Poll::Ready(done) = Pin::new(&mut work).poll(&mut Context::from_waker(Waker::noop())) {
                return (done, polls);
            }
        }
        unreachable!()
    }

    #[test]
    fn polls_are_summed_and_what_is_between_them_is_not() {
        let budget = Arc::new(CpuBudget::new(Millis(1000)));
        assert_eq!(run(work(1, 40), &budget), (Some(()), 40));
        assert!((40..80).contains(&budget.spent().as_millis()), "{budget:?}");
        assert!(!budget.check());
    }

    #[test]
    fn work_is_stopped_by_the_first_poll_that_ends_beyond_its_budget() {
        let budget = Arc::new(CpuBudget::new(Millis(10)));
        assert_eq!(run(work(4, 100), &budget), (None, 3));
        assert!(budget.is_exceeded());
    }

    #[test]
    fn work_that_is_done_is_not_stopped_any_more() {
        let budget = Arc::new(CpuBudget::new(Millis(1)));
        assert_eq!(run(work(5, 1), &budget), (Some(()), 1));
        assert!(!budget.is_exceeded() && budget.spent() >= Duration::from_millis(5));
    }

    #[test]
    fn it_can_be_asked_in_the_midst_of_a_poll() {
        let budget = Arc::new(CpuBudget::new(Millis(5)));
        let asks = async {
            let before = budget.check();
            computes(6);
            (before, budget.check())
        };
        assert_eq!(run(asks, &budget).0, Some((false, true)));
    }
}
