//! What a cell remembers, and how results are read out of it.
//!
//! In: the configured functions. Out: a [`Layout`]: which word of a cell's value holds what, and which sketches a cell has, so that functions that share
//! something fold it once. Word 0 counts the rows; a cell with 0 rows does not exist (the host gives zeros where there is no value).
//! Words hold u64 counts, the bits of f64s, or i64 times; in the host's state they are little-endian. A value that is missing, NaN or infinite is no value: it is
//! not folded.

use weir_sdk::expr::{self, Expr};
use weir_sketch::Moments;

use crate::cache::OWNER_WORDS;
use crate::columns::Output;
use crate::function::{Aggregate, Function, STATE};
use crate::sketches::{Kind, Sketch, Source, Spec};

/// The words of one input column within a cell's value; none where no function needs it.
#[derive(Clone, Debug, Default)]
pub struct ColumnWords {
    pub name: String,
    /// Nothing but whether there is a value is asked of it, so it need not be numbers.
    pub is_only_counted: bool,
    /// Rows without a value. Not the values: most rows have one, and then nothing is to be counted.
    pub missing: usize,
    pub sum: Option<usize>,
    pub min: Option<usize>,
    pub max: Option<usize>,
    /// Time and value.
    pub first: Option<usize>,
    /// Time and value.
    pub last: Option<usize>,
    /// Count, mean, sum of squared distances.
    pub moments: Option<usize>,
    /// Increase, time and value of the first sample, time and value of the last.
    pub counter: Option<usize>,
}

/// A column whose values may be of any kind.
#[derive(Clone, Debug)]
pub struct Item {
    pub name: String,
    /// Whether the values themselves are wanted, not only their hashes.
    pub names: bool,
}

/// A number that an expression carries on from row to row.
#[derive(Clone, Debug)]
pub struct Step {
    pub word: usize,
    pub initial: f64,
    pub next: Expr,
}

/// How to read one result out of a cell.
#[derive(Clone, Debug)]
enum Reading {
    Rows,
    /// f64 at `word`, in any case.
    State {
        word: usize,
    },
    Count {
        missing: usize,
    },
    /// f64 at `word`, where a row had a value.
    Value {
        word: usize,
        missing: usize,
    },
    Mean {
        sum: usize,
        missing: usize,
    },
    RowsPerSecond,
    /// A window without values had a sum of 0, so this is never missing.
    SumPerSecond {
        sum: usize,
    },
    Variance {
        word: usize,
    },
    Deviation {
        word: usize,
    },
    Increase {
        word: usize,
    },
    CounterRate {
        word: usize,
    },
    /// `at`: which of the sketch's shares.
    Quantile {
        sketch: usize,
        at: usize,
    },
    Distinct {
        sketch: usize,
    },
    Top {
        sketch: usize,
        k: usize,
    },
    Histogram {
        sketch: usize,
        bounds: Vec<f64>,
    },
    Duration {
        word: usize,
    },
}

#[derive(Clone, Debug)]
pub struct Layout {
    /// Words of one cell's value.
    pub words: usize,
    pub columns: Vec<ColumnWords>,
    pub items: Vec<Item>,
    pub sketches: Vec<Spec>,
    /// Of the columns that come out, in their order.
    pub names: Vec<String>,
    /// Least and greatest time, where the duration is asked for.
    pub span: Option<usize>,
    pub steps: Vec<Step>,
    readings: Vec<Reading>,
    /// For each sketch the quantiles that are read of it.
    shares: Vec<Vec<f64>>,
    window_s: f64,
}

impl Layout {
    /// `window_ns`: for rates; without a window there are none.
    pub fn new(aggregates: &[Aggregate], window_ns: i64) -> Self {
        let mut layout = Self {
            words: 1,
            columns: Vec::new(),
            items: Vec::new(),
            sketches: Vec::new(),
            names: Vec::new(),
            span: None,
            steps: Vec::new(),
            readings: Vec::new(),
            shares: Vec::new(),
            window_s: window_ns as f64 / 1e9,
        };
        for aggregate in aggregates {
            let reading = layout.place(aggregate);
            match &reading {
                Reading::Histogram { bounds, .. } => {
                    let bounds = bounds.iter().map(|bound| format!("{}.le_{bound}", aggregate.name));
                    layout.names.extend(bounds.chain([format!("{}.le_inf", aggregate.name)]));
                }
                _ => layout.names.push(aggregate.name.clone()),
            }
            layout.readings.push(reading);
        }
        for (index, column) in layout.columns.iter_mut().enumerate() {
            let words = [
                column.sum,
                column.min,
                column.max,
                column.first,
                column.last,
                column.moments,
                column.counter,
            ];
            let is_sketched = layout.sketches.iter().any(|spec| spec.source == Source::Column(index));
            column.is_only_counted = words.iter().all(Option::is_none) && !is_sketched;
        }
        layout
    }

    /// No results: cells of that many words, whose meaning the caller knows; the first is not 0 where there is a cell.
    pub fn of_words(words: usize) -> Self {
        Self { words: words.max(1), ..Self::new(&[], 0) }
    }

    /// No results, but a top of a column's values, weighted by another column or 1 for each row.
    pub fn of_top(item: &str, weight: Option<&str>, counters: usize) -> Self {
        let mut layout = Self::new(&[], 0);
        let weight = weight.map(|name| layout.column(name));
        // It is read as numbers: `is_only_counted` stays false.
        layout.item(item, true, Kind::Top { counters, weight });
        layout
    }

    /// Words of one cell in [`crate::cache`], where its owner stands behind them.
    pub fn stride(&self) -> usize {
        self.words + OWNER_WORDS
    }

    /// Bytes of one cell's words in the host's state.
    pub fn bytes(&self) -> usize {
        self.words * 8
    }

    fn place(&mut self, aggregate: &Aggregate) -> Reading {
        let Some(of) = &aggregate.of else {
            return match &aggregate.is {
                Function::Steps { initial, next } => self.step(*initial, next),
                Function::Rate => Reading::RowsPerSecond,
                Function::Duration => {
                    let words = &mut self.words;
                    Reading::Duration { word: *self.span.get_or_insert_with(|| take(words, 2)) }
                }
                // Nothing but count is left of what goes without a column.
                _ => Reading::Rows,
            };
        };
        match &aggregate.is {
            Function::Distinct => return Reading::Distinct { sketch: self.item(of, false, Kind::Distinct) },
            Function::Top { k } => return Reading::Top { sketch: self.item(of, true, Kind::top(*k)), k: *k },
            _ => {}
        }
        let index = self.column(of);
        match &aggregate.is {
            Function::Quantile(share) => {
                let sketch = self.sketch(Source::Column(index), Kind::Quantiles);
                let Some(shares) = self.shares.get_mut(sketch) else { return Reading::Rows };
                shares.push(*share);
                return Reading::Quantile { sketch, at: shares.len() - 1 };
            }
            Function::Histogram(bounds) => {
                let sketch = self.sketch(Source::Column(index), Kind::Histogram(bounds.clone()));
                return Reading::Histogram { sketch, bounds: bounds.clone() };
            }
            _ => {}
        }
        let words = &mut self.words;
        let Some(column) = self.columns.get_mut(index) else { return Reading::Rows };
        let missing = column.missing;
        let mut word =
            |place: &mut Option<usize>, length: usize| *place.get_or_insert_with(|| take(words, length));
        match aggregate.is {
            Function::Sum => Reading::Value { word: word(&mut column.sum, 1), missing },
            Function::Mean => Reading::Mean { sum: word(&mut column.sum, 1), missing },
            Function::Min => Reading::Value { word: word(&mut column.min, 1), missing },
            Function::Max => Reading::Value { word: word(&mut column.max, 1), missing },
            Function::First => Reading::Value { word: word(&mut column.first, 2) + 1, missing },
            Function::Last => Reading::Value { word: word(&mut column.last, 2) + 1, missing },
            Function::Rate => Reading::SumPerSecond { sum: word(&mut column.sum, 1) },
            Function::Variance => Reading::Variance { word: word(&mut column.moments, 3) },
            Function::Deviation => Reading::Deviation { word: word(&mut column.moments, 3) },
            Function::Increase => Reading::Increase { word: word(&mut column.counter, 5) },
            Function::CounterRate => Reading::CounterRate { word: word(&mut column.counter, 5) },
            // The others returned above.
            _ => Reading::Count { missing },
        }
    }

    fn step(&mut self, initial: f64, next: &str) -> Reading {
        // The configuration parsed it once already.
        let Ok(next) = expr::parse(next) else { return Reading::Rows };
        let word = take(&mut self.words, 1);
        self.steps.push(Step { word, initial, next });
        Reading::State { word }
    }

    fn column(&mut self, name: &str) -> usize {
        if let Some(index) = self.columns.iter().position(|column| column.name == name) {
            return index;
        }
        let missing = take(&mut self.words, 1);
        self.columns.push(ColumnWords { name: name.to_owned(), missing, ..ColumnWords::default() });
        self.columns.len() - 1
    }

    fn item(&mut self, name: &str, names: bool, kind: Kind) -> usize {
        let index = match self.items.iter().position(|item| item.name == name) {
            Some(index) => index,
            None => {
                self.items.push(Item { name: name.to_owned(), names });
                self.items.len() - 1
            }
        };
        if let Some(item) = self.items.get_mut(index) {
            item.names |= names;
        }
        self.sketch(Source::Item(index), kind)
    }

    fn sketch(&mut self, source: Source, kind: Kind) -> usize {
        if let Some(index) = self.sketches.iter().position(|spec| spec.source == source && spec.kind == kind)
        {
            return index;
        }
        self.sketches.push(Spec { source, kind });
        self.shares.push(Vec::new());
        self.sketches.len() - 1
    }

    /// For the plan: names of all input columns, each once, and whether only numbers are wanted of it.
    pub fn reads(&self) -> Vec<(&str, bool)> {
        let is_item = |name: &str| self.items.iter().any(|item| item.name == name);
        let numbers = self
            .columns
            .iter()
            .filter(|column| !is_item(&column.name))
            .map(|column| (column.name.as_str(), !column.is_only_counted));
        let mut reads: Vec<(&str, bool)> =
            numbers.chain(self.items.iter().map(|item| (item.name.as_str(), false))).collect();
        // The event time comes with every batch, it is no column; nor is the state.
        let of_steps = self.steps.iter().flat_map(|step| step.next.columns()).map(String::as_str);
        for name in of_steps.filter(|name| !["time", STATE].contains(name)) {
            if !reads.iter().any(|(known, _)| *known == name) {
                reads.push((name, false));
            }
        }
        reads
    }

    /// Gives the words of a new cell the values that the first fold replaces.
    pub fn begin(&self, words: &mut [u64]) {
        let mut set = |word: Option<usize>, bits: u64| {
            if let Some(cell) = word.and_then(|word| words.get_mut(word)) {
                *cell = bits;
            }
        };
        for column in &self.columns {
            set(column.min, f64::INFINITY.to_bits());
            set(column.max, f64::NEG_INFINITY.to_bits());
            set(column.first, i64::MAX.cast_unsigned());
            set(column.last, i64::MIN.cast_unsigned());
            set(column.counter.map(|word| word + 3), i64::MIN.cast_unsigned());
        }
        for step in &self.steps {
            set(Some(step.word), step.initial.to_bits());
        }
        set(self.span, i64::MAX.cast_unsigned());
        set(self.span.map(|word| word + 1), i64::MIN.cast_unsigned());
    }

    /// The results, in the order of [`Layout::names`], of cells whose words lie one after the other. `sketches`: of each cell; empty where there are none.
    pub fn read_out(&self, words: &[u64], sketches: &[Vec<Sketch>]) -> Vec<Output> {
        let quantiles: Vec<Vec<Vec<f64>>> = self
            .shares
            .iter()
            .enumerate()
            .map(|(at, shares)| match shares.is_empty() {
                true => Vec::new(),
                false => sketches
                    .iter()
                    .map(|cell| cell.get(at).map_or_else(Vec::new, |sketch| sketch.quantiles(shares)))
                    .collect(),
            })
            .collect();
        self.readings.iter().flat_map(|reading| self.read(reading, words, sketches, &quantiles)).collect()
    }

    fn read(
        &self,
        reading: &Reading,
        words: &[u64],
        sketches: &[Vec<Sketch>],
        quantiles: &[Vec<Vec<f64>>],
    ) -> Vec<Output> {
        let cells = words.chunks_exact(self.words);
        let at = |cell: &[u64], word: usize| cell.get(word).copied().unwrap_or(0);
        let number = |cell: &[u64], word: usize| f64::from_bits(at(cell, word));
        let count = |cell: &[u64], missing: usize| at(cell, 0).saturating_sub(at(cell, missing));
        let numbers = |of: &dyn Fn(&[u64]) -> f64| vec![Output::Numbers(cells.clone().map(of).collect())];
        let sketch = |at: usize| sketches.iter().map(move |cell| cell.get(at));
        match reading {
            Reading::Rows => vec![Output::Counts(cells.map(|cell| at(cell, 0)).collect())],
            Reading::State { word } => numbers(&|cell| number(cell, *word)),
            Reading::Count { missing } => {
                vec![Output::Counts(cells.map(|cell| count(cell, *missing)).collect())]
            }
            Reading::Value { word, missing } => {
                numbers(&|cell| if count(cell, *missing) == 0 { f64::NAN } else { number(cell, *word) })
            }
            // 0 / 0 is the NaN that says "no value".
            Reading::Mean { sum, missing } => {
                numbers(&|cell| number(cell, *sum) / count(cell, *missing) as f64)
            }
            Reading::RowsPerSecond => numbers(&|cell| at(cell, 0) as f64 / self.window_s),
            Reading::SumPerSecond { sum } => numbers(&|cell| number(cell, *sum) / self.window_s),
            Reading::Variance { word } => {
                numbers(&|cell| moments(cell, *word).variance().unwrap_or(f64::NAN))
            }
            Reading::Deviation { word } => {
                numbers(&|cell| moments(cell, *word).deviation().unwrap_or(f64::NAN))
            }
            Reading::Increase { word } => numbers(&|cell| match Counter::of(cell, *word) {
                Some(counter) if counter.last.0 > counter.first.0 => counter.increase,
                _ => f64::NAN,
            }),
            Reading::CounterRate { word } => numbers(&|cell| match Counter::of(cell, *word) {
                Some(counter) if counter.last.0 > counter.first.0 => {
                    counter.increase / (counter.last.0.abs_diff(counter.first.0) as f64 / 1e9)
                }
                _ => f64::NAN,
            }),
            Reading::Duration { word } => numbers(&|cell| {
                let [from, to] = [*word, *word + 1].map(|word| at(cell, word).cast_signed());
                if to < from { f64::NAN } else { to.abs_diff(from) as f64 / 1e9 }
            }),
            Reading::Quantile { sketch, at } => {
                let of_cells = quantiles.get(*sketch).into_iter().flatten();
                vec![Output::Numbers(of_cells.map(|all| all.get(*at).copied().unwrap_or(f64::NAN)).collect())]
            }
            Reading::Distinct { sketch: at } => {
                vec![Output::Counts(sketch(*at).map(|sketch| sketch.map_or(0, Sketch::distinct)).collect())]
            }
            Reading::Top { sketch: at, k } => {
                vec![Output::Texts(
                    sketch(*at)
                        .map(|sketch| sketch.map_or_else(|| "[]".into(), |sketch| sketch.top(*k)))
                        .collect(),
                )]
            }
            Reading::Histogram { sketch: at, bounds } => (0..=bounds.len())
                .map(|bucket| {
                    Output::Counts(
                        sketch(*at).map(|sketch| sketch.map_or(0, |sketch| sketch.bucket(bucket))).collect(),
                    )
                })
                .collect(),
        }
    }
}

fn take(words: &mut usize, length: usize) -> usize {
    *words += length;
    *words - length
}

pub(crate) fn moments(cell: &[u64], word: usize) -> Moments {
    match cell.get(word..word + 3) {
        Some([count, mean, m2]) => {
            Moments { count: *count, mean: f64::from_bits(*mean), m2: f64::from_bits(*m2) }
        }
        _ => Moments::default(),
    }
}

pub(crate) fn put_moments(cell: &mut [u64], word: usize, moments: &Moments) {
    if let Some([count, mean, m2]) = cell.get_mut(word..word + 3) {
        (*count, *mean, *m2) = (moments.count, moments.mean.to_bits(), moments.m2.to_bits());
    }
}

/// Samples of a counter: time and value of the first and the last, and the rises between them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter {
    pub increase: f64,
    pub first: (i64, f64),
    pub last: (i64, f64),
}

impl Counter {
    /// None where there was no sample.
    pub fn of(cell: &[u64], word: usize) -> Option<Self> {
        let [increase, first_time, first, last_time, last] = cell.get(word..word + 5)?.first_chunk::<5>()?;
        (last_time.cast_signed() != i64::MIN).then(|| Self {
            increase: f64::from_bits(*increase),
            first: (first_time.cast_signed(), f64::from_bits(*first)),
            last: (last_time.cast_signed(), f64::from_bits(*last)),
        })
    }

    pub fn put(&self, cell: &mut [u64], word: usize) {
        if let Some(words) = cell.get_mut(word..word + 5) {
            let of = [
                self.increase.to_bits(),
                self.first.0.cast_unsigned(),
                self.first.1.to_bits(),
                self.last.0.cast_unsigned(),
                self.last.1.to_bits(),
            ];
            words.copy_from_slice(&of);
        }
    }
}

/// How much a counter rose between two samples: where it fell it began again at 0.
pub fn rise(before: f64, after: f64) -> f64 {
    if after >= before { after - before } else { after }
}
