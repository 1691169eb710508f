//! The pause after a lost race.

use std::time::Duration;

use crate::limits::{BACK_OFF_FIRST, BACK_OFF_LONGEST};

/// Returns the middle of what a pause before the next attempt may be.
fn pause_base(attempt: u32) -> Duration {
    BACK_OFF_FIRST.saturating_mul(1 << attempt.min(16)).min(BACK_OFF_LONGEST)
}

/// Waits before the next attempt, longer each time, and never as long as another process.
pub(crate) async fn pause(attempt: u32) {
    let base = pause_base(attempt);
    let noise = std::collections::hash_map::RandomState::new();
    let random = std::hash::BuildHasher::hash_one(&noise, attempt) % 1_000;
    let jitter = u32::try_from(random).unwrap_or(0);
    tokio::time::sleep(base / 2 + base * jitter / 2_000).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_are_bounded() {
        let mut last = Duration::ZERO;
        for attempt in 1..=40 {
            let base = pause_base(attempt);
            assert!(base >= last && base <= BACK_OFF_LONGEST, "{attempt}");
            last = base;
        }
        assert_eq!(last, BACK_OFF_LONGEST);
    }
}
