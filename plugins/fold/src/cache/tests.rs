//! The cache beside a plain map: more panes than ways, panes without a number, keys beyond the array.

use std::collections::BTreeMap;

use super::*;
use crate::function::Aggregate;

const SECOND: i64 = 1_000_000_000;

fn cache() -> Cache {
    let aggregates = [Aggregate::parse("n", &"count".into()).unwrap()];
    Cache::new(&Layout::new(&aggregates, SECOND), SECOND)
}

/// xorshift64*: the tests need no better.
fn random(state: &mut u64, below: u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    state.wrapping_mul(0x2545_F491_4F6C_DD1D) % below
}

#[test]
fn it_is_a_map_of_cells() {
    for seed in 1..40 {
        let (mut state, mut cache, mut plain) = (seed, cache(), BTreeMap::new());
        // As many panes at a time as there are ways, or more, or so far apart that they have no numbers.
        let (panes, apart) =
            [(4, SECOND), (9, SECOND), (9, i64::MAX / 16 / SECOND * SECOND)][seed as usize % 3];
        let keys = [0, 1, 7, KEYS_MAX as u32 - 1, KEYS_MAX as u32, u32::MAX - 1];
        for step in 1..=600_u64 {
            cache.begin_call(&[]);
            let (key, pane) = (keys[random(&mut state, 6) as usize], random(&mut state, panes) as i64 - 2);
            let start = pane * apart;
            if random(&mut state, 3) == 0 {
                cache.remove(key, start);
                plain.remove(&(key, start));
            } else {
                let touched = cache.touch(key, start);
                assert_eq!(touched.fresh, !plain.contains_key(&(key, start)), "seed {seed}, step {step}");
                cache.note_touched(touched.base);
                cache.note_touched(touched.base);
                assert_eq!(cache.touched, [touched.base]);
                let words = cache.words_at(touched.base).unwrap();
                assert_eq!(words[0], plain.get(&(key, start)).copied().unwrap_or(0));
                words[0] = step;
                plain.insert((key, start), step);
            }
            assert_eq!(cache.count(), plain.len());
        }
        for (&(key, start), step) in &plain {
            let base = cache.find(key, start).unwrap();
            assert_eq!(cache.words_of(base)[0], *step);
            assert_eq!(cache.entry(base).map(|entry| (entry.key, entry.start)), Some((key, start)));
        }
    }
}

#[test]
fn the_newest_pane_of_a_key_is_at_hand() {
    let mut cache = cache();
    let bases: Vec<u32> = [5, 7, 6].map(|pane| cache.touch(3, pane * SECOND).base).to_vec();
    let number = |cache: &Cache, pane: i64| cache.number(pane * SECOND).unwrap();
    assert_eq!(cache.first(3, number(&cache, 7)), bases[1]);
    assert_eq!(cache.first(3, number(&cache, 6)), ANOTHER);
    assert_eq!(cache.first(4, number(&cache, 7)), ANOTHER);
    cache.remove(3, 7 * SECOND);
    assert_eq!(cache.first(3, number(&cache, 6)), bases[2]);
    assert!(cache.entry(bases[1]).is_none());
    // Rows that go on in the past get to the front, also from behind all ways.
    for pane in 10..20 {
        cache.touch(3, pane * SECOND);
    }
    for _ in 0..8 {
        cache.touch(3, 5 * SECOND);
    }
    assert_eq!(cache.first(3, number(&cache, 5)), bases[0]);
}

#[test]
fn what_was_said_to_be_forgotten_is_not_cached_any_more() {
    let mut cache = cache();
    cache.touch(3, 0);
    cache.begin_call(&4_u32.to_le_bytes());
    assert_eq!(cache.count(), 1);
    cache.begin_call(&3_u32.to_le_bytes());
    assert_eq!(cache.count(), 0);
}
