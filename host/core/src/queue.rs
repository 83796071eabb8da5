//! How many runs may wait, and how many of them may be one handler's.

use crate::event::HOPS_MAX;

/// Of the room for what plugins make, each generation has at least so much of its own: what one attempt makes fits in.
const OF_GENERATION_MIN: u64 = 512;

/// So many runs may wait. What is asked from outside ends there; what attempts make may go on for a quarter more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room(pub u64);

impl Room {
    /// How many of them one handler's may be, so that one that is held or slow leaves something to the others.
    pub fn share(self) -> u64 {
        self.0 - self.0 / 4
    }

    /// The room for what an attempt makes whose run came about through so many others.
    ///
    /// Each generation has more than the one before. Else a queue that is full of runs each of which makes several could
    /// never drain: those of the last generation always find the room that the earlier ones could not take.
    #[must_use]
    pub fn after(self, hops: u8) -> Room {
        let generations = u64::from(HOPS_MAX) + 1;
        let all = (self.0 / 4).max(generations * OF_GENERATION_MIN);
        let generation = (u64::from(hops) + 1).min(generations);
        // At most 10 million, 17 times.
        Room(self.0.saturating_add(all.saturating_mul(generation) / generations))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_generation_has_room_that_the_one_before_has_not() {
        for most in [1, 1_000, 1_000_000, 10_000_000] {
            let mut before = Room(most);
            for hops in 0..=HOPS_MAX {
                let room = Room(most).after(hops);
                assert!(room.0 >= before.0 + OF_GENERATION_MIN, "{most} {hops}");
                before = room;
            }
            assert_eq!(Room(most).after(HOPS_MAX + 1), before);
        }
    }

    #[test]
    fn all_of_them_together_have_a_quarter_more() {
        assert_eq!(Room(1_000_000).after(HOPS_MAX), Room(1_250_000));
        assert_eq!(Room(100).after(HOPS_MAX), Room(100 + 8_704));
    }

    #[test]
    fn a_share_is_three_quarters_or_the_only_one() {
        assert_eq!((Room(1).share(), Room(3).share(), Room(4).share()), (1, 3, 3));
        assert_eq!(Room(1_000_000).share(), 750_000);
        // What is made by a run of outside leaves room for others, too.
        assert!(Room(1_000_000).after(HOPS_MAX).share() < 1_000_000);
    }
}
