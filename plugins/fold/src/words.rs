//! Folding columns into the words of cells, and merging the words of two cells.
//!
//! In: for each row the base of its cell in one vector of words, and columns of doubles. One loop for each thing that is kept, so that none carries branches
//! that the configuration has settled. Base 0 is a bin for rows that do not count. A value that is not finite counts as missing.

use crate::columns::{Columns, Numbers};
use crate::layout::{ColumnWords, Counter, Layout, moments, put_moments, rise};

impl Numbers<'_> {
    /// Some of the rows.
    pub fn slice(&self, from: usize, rows: usize) -> Numbers<'_> {
        let f64s = self.f64s.get(from * 8..(from + rows) * 8).unwrap_or_default().into();
        Numbers { f64s, valid: self.valid.map(|valid| valid.get(from..from + rows).unwrap_or_default()) }
    }
}

/// Folds the columns of rows from `from` on; `bases` has one entry for each of these rows, which word 0 has counted already. Gives how many values were not finite.
pub fn fold(
    layout: &Layout,
    from: usize,
    bases: &[u32],
    time: &[u8],
    columns: &Columns<'_>,
    words: &mut [u64],
) -> u64 {
    let time = time.get(from * 8..(from + bases.len()) * 8).unwrap_or_default();
    let mut not_finite = 0;
    for (column, values) in layout.columns.iter().zip(&columns.numbers) {
        match values {
            Some(values) => {
                not_finite += fold_column(column, bases, time, &values.slice(from, bases.len()), words)
            }
            None => bases.iter().for_each(|base| increment(words, *base as usize + column.missing)),
        }
    }
    if let Some(span) = layout.span {
        for (base, time) in bases.iter().zip(time.as_chunks::<8>().0) {
            let (base, time) = (*base as usize + span, i64::from_le_bytes(*time));
            if let Some([least, greatest]) = words.get_mut(base..base + 2) {
                *least = least.cast_signed().min(time).cast_unsigned();
                *greatest = greatest.cast_signed().max(time).cast_unsigned();
            }
        }
    }
    not_finite
}

fn fold_column(
    column: &ColumnWords,
    bases: &[u32],
    time: &[u8],
    values: &Numbers<'_>,
    words: &mut [u64],
) -> u64 {
    let mut not_finite = 0;
    let mut skip = |words: &mut [u64], base: usize| {
        increment(words, base + column.missing);
        not_finite += u64::from(base != 0);
    };
    match column.sum {
        Some(sum) => each(bases, values, |base, value| match words.get_mut(base + sum) {
            Some(cell) if value.is_finite() => *cell = (f64::from_bits(*cell) + value).to_bits(),
            _ => skip(words, base),
        }),
        None => each(bases, values, |base, value| {
            if !value.is_finite() {
                skip(words, base);
            }
        }),
    }
    for (base, _) in bases.iter().zip(values.valid.unwrap_or_default()).filter(|(_, valid)| **valid == 0) {
        increment(words, *base as usize + column.missing);
    }
    if let Some(min) = column.min {
        each(bases, values, |base, value| {
            if let Some(cell) = words.get_mut(base + min)
                && value.is_finite()
                && value < f64::from_bits(*cell)
            {
                *cell = value.to_bits();
            }
        });
    }
    if let Some(max) = column.max {
        each(bases, values, |base, value| {
            if let Some(cell) = words.get_mut(base + max)
                && value.is_finite()
                && value > f64::from_bits(*cell)
            {
                *cell = value.to_bits();
            }
        });
    }
    if let Some(word) = column.moments {
        each(bases, values, |base, value| {
            if value.is_finite() {
                let mut state = moments(words, base + word);
                state.add(value);
                put_moments(words, base + word, &state);
            }
        });
    }
    fold_timed(column, bases, time, values, words);
    not_finite
}

/// What depends on the rows' times.
fn fold_timed(column: &ColumnWords, bases: &[u32], time: &[u8], values: &Numbers<'_>, words: &mut [u64]) {
    if let Some(first) = column.first {
        each_at(bases, time, values, |base, time, value| {
            if let Some([known, kept]) = words.get_mut(base + first..base + first + 2)
                && time < known.cast_signed()
            {
                (*known, *kept) = (time.cast_unsigned(), value.to_bits());
            }
        });
    }
    if let Some(last) = column.last {
        each_at(bases, time, values, |base, time, value| {
            if let Some([known, kept]) = words.get_mut(base + last..base + last + 2)
                && time >= known.cast_signed()
            {
                (*known, *kept) = (time.cast_unsigned(), value.to_bits());
            }
        });
    }
    if let Some(word) = column.counter {
        each_at(bases, time, values, |base, time, value| {
            let counter = match Counter::of(words, base + word) {
                None => Counter { increase: 0.0, first: (time, value), last: (time, value) },
                Some(counter) if time >= counter.last.0 => Counter {
                    increase: counter.increase + rise(counter.last.1, value),
                    last: (time, value),
                    ..counter
                },
                // A sample out of order says nothing that the later one did not.
                Some(_) => return,
            };
            counter.put(words, base + word);
        });
    }
}

/// Adds the words of another cell, whose rows are later ones. `mine` may be zeros: nothing was folded yet.
pub fn merge(layout: &Layout, mine: &mut [u64], other: &[u64]) {
    let at = |words: &[u64], word: usize| words.get(word).copied().unwrap_or(0);
    if at(other, 0) == 0 {
        return;
    }
    if at(mine, 0) == 0 {
        mine.copy_from_slice(other);
        return;
    }
    let mut set = |word: usize, of: &dyn Fn(u64, u64) -> u64| {
        if let Some(cell) = mine.get_mut(word) {
            *cell = of(*cell, at(other, word));
        }
    };
    let number = |of: fn(f64, f64) -> f64| {
        move |left: u64, right: u64| of(f64::from_bits(left), f64::from_bits(right)).to_bits()
    };
    set(0, &|left, right| left + right);
    if let Some(span) = layout.span {
        set(span, &|left, right| left.cast_signed().min(right.cast_signed()).cast_unsigned());
        set(span + 1, &|left, right| left.cast_signed().max(right.cast_signed()).cast_unsigned());
    }
    for column in &layout.columns {
        set(column.missing, &|left, right| left + right);
        column.sum.into_iter().for_each(|word| set(word, &number(|left, right| left + right)));
        column.min.into_iter().for_each(|word| set(word, &number(f64::min)));
        column.max.into_iter().for_each(|word| set(word, &number(f64::max)));
    }
    for column in &layout.columns {
        merge_timed(column, mine, other);
    }
}

fn merge_timed(column: &ColumnWords, mine: &mut [u64], other: &[u64]) {
    let pair = |words: &[u64], word: usize| {
        words.get(word..word + 2).and_then(|pair| pair.first_chunk::<2>().copied())
    };
    let mut keep = |word: usize, is_better: fn(i64, i64) -> bool| {
        if let (Some([mine_at, _]), Some(pair)) = (pair(mine, word), pair(other, word))
            && is_better(pair[0].cast_signed(), mine_at.cast_signed())
            && let Some(place) = mine.get_mut(word..word + 2)
        {
            place.copy_from_slice(&pair);
        }
    };
    column.first.into_iter().for_each(|word| keep(word, |other, mine| other < mine));
    column.last.into_iter().for_each(|word| keep(word, |other, mine| other >= mine));
    if let Some(word) = column.moments {
        let mut all = moments(mine, word);
        all.merge(&moments(other, word));
        put_moments(mine, word, &all);
    }
    if let Some(word) = column.counter {
        let all = match (Counter::of(mine, word), Counter::of(other, word)) {
            (Some(before), Some(after)) => Counter {
                increase: before.increase + rise(before.last.1, after.first.1) + after.increase,
                first: before.first,
                last: after.last,
            },
            (None, Some(one)) | (Some(one), None) => one,
            (None, None) => return,
        };
        all.put(mine, word);
    }
}

#[inline]
pub fn increment(words: &mut [u64], word: usize) {
    if let Some(count) = words.get_mut(word) {
        *count = count.wrapping_add(1);
    }
}

/// Calls with base and value of each row that has a value.
#[inline(always)]
pub fn each(bases: &[u32], values: &Numbers<'_>, mut call: impl FnMut(usize, f64)) {
    let rows = bases.iter().zip(values.f64s.as_chunks::<8>().0);
    match values.valid {
        None => rows.for_each(|(base, value)| call(*base as usize, f64::from_le_bytes(*value))),
        Some(valid) => rows.zip(valid).filter(|(_, valid)| **valid != 0).for_each(|((base, value), _)| {
            call(*base as usize, f64::from_le_bytes(*value));
        }),
    }
}

/// The same with the row's time, and finite values only.
#[inline(always)]
fn each_at(bases: &[u32], time: &[u8], values: &Numbers<'_>, mut call: impl FnMut(usize, i64, f64)) {
    let mut times = time.as_chunks::<8>().0.iter();
    let valid = values.valid.map(|valid| valid.iter()).into_iter().flatten().chain(std::iter::repeat(&1));
    for ((base, value), valid) in bases.iter().zip(values.f64s.as_chunks::<8>().0).zip(valid) {
        let time = times.next().map_or(0, |time| i64::from_le_bytes(*time));
        let value = f64::from_le_bytes(*value);
        if *valid != 0 && value.is_finite() {
            call(*base as usize, time, value);
        }
    }
}
