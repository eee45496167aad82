//! What a window remembers, as words of 8 bytes, and how aggregates are read out of them.
//!
//! In: the configured aggregates. Out: a [`Layout`]: which word of a window's value holds what, so that columns that several aggregates
//! share are folded once. Word 0 counts the rows; a window with 0 rows does not exist (the host gives zeros where there is no value).
//! Words hold u64 counts, the bits of f64s, or an i64 time; in the host's state they are little-endian.
//! Limits: [`AGGREGATES_MAX`] aggregates. A value that is missing, NaN or infinite is no value: it is not folded.

/// Most aggregates of one rollup; a row out has that many columns at most.
pub const AGGREGATES_MAX: usize = 64;

/// What is computed of a column, or of the rows where the column is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    /// The value of the row with the greatest time; of equal times the later row.
    Last,
    /// The sum (or, without a column, the count of rows) per second of the window.
    Rate,
}

impl Function {
    pub const NAMES: [&str; 7] = ["count", "sum", "mean", "min", "max", "last", "rate"];

    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "count" => Self::Count,
            "sum" => Self::Sum,
            "mean" => Self::Mean,
            "min" => Self::Min,
            "max" => Self::Max,
            "last" => Self::Last,
            "rate" => Self::Rate,
            _ => return None,
        })
    }
}

/// One column of the rows that come out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aggregate {
    pub name: String,
    /// None: of the rows themselves (count and rate only).
    pub of: Option<String>,
    pub is: Function,
}

/// The words of one input column within a window's value; none where no aggregate needs it.
#[derive(Clone, Debug)]
pub struct ColumnWords {
    pub name: String,
    /// Rows without a value. Not the values: most rows have one, and then nothing is to be counted.
    pub missing: usize,
    pub sum: Option<usize>,
    pub min: Option<usize>,
    pub max: Option<usize>,
    /// The time of the last value; the value is in the next word.
    pub last: Option<usize>,
}

/// How to read one aggregate out of a window's words.
#[derive(Clone, Copy, Debug)]
enum Reading {
    Rows,
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
}

/// One aggregate's values of the windows that close.
#[derive(Debug, PartialEq)]
pub enum Output {
    Counts(Vec<u64>),
    /// NaN where there is no value.
    Numbers(Vec<f64>),
}

#[derive(Clone, Debug)]
pub struct Layout {
    /// Words of one window's value.
    pub words: usize,
    pub columns: Vec<ColumnWords>,
    /// Of the aggregates, in their order.
    pub names: Vec<String>,
    readings: Vec<Reading>,
    window_s: f64,
}

impl Layout {
    pub fn new(aggregates: &[Aggregate], window_ns: i64) -> Self {
        let mut layout = Self {
            words: 1,
            columns: Vec::new(),
            names: aggregates.iter().map(|aggregate| aggregate.name.clone()).collect(),
            readings: Vec::new(),
            window_s: window_ns as f64 / 1e9,
        };
        for aggregate in aggregates {
            let reading = layout.place(aggregate);
            layout.readings.push(reading);
        }
        layout
    }

    /// Bytes of one window's value in the host's state.
    pub fn bytes(&self) -> usize {
        self.words * 8
    }

    fn place(&mut self, aggregate: &Aggregate) -> Reading {
        let Some(of) = &aggregate.of else {
            return match aggregate.is {
                Function::Rate => Reading::RowsPerSecond,
                // The configuration allows nothing but count here.
                _ => Reading::Rows,
            };
        };
        let index = self.column(of);
        let words = &mut self.words;
        let Some(column) = self.columns.get_mut(index) else { return Reading::Rows };
        let missing = column.missing;
        let mut word = |place: &mut Option<usize>, length: usize| {
            *place.get_or_insert_with(|| {
                *words += length;
                *words - length
            })
        };
        match aggregate.is {
            Function::Count => Reading::Count { missing },
            Function::Sum => Reading::Value { word: word(&mut column.sum, 1), missing },
            Function::Mean => Reading::Mean { sum: word(&mut column.sum, 1), missing },
            Function::Min => Reading::Value { word: word(&mut column.min, 1), missing },
            Function::Max => Reading::Value { word: word(&mut column.max, 1), missing },
            Function::Last => Reading::Value { word: word(&mut column.last, 2) + 1, missing },
            Function::Rate => Reading::SumPerSecond { sum: word(&mut column.sum, 1) },
        }
    }

    fn column(&mut self, name: &str) -> usize {
        if let Some(index) = self.columns.iter().position(|column| column.name == name) {
            return index;
        }
        let missing = self.words;
        self.words += 1;
        self.columns.push(ColumnWords {
            name: name.to_owned(),
            missing,
            sum: None,
            min: None,
            max: None,
            last: None,
        });
        self.columns.len() - 1
    }

    /// Gives the words of a new window the values that the first fold replaces.
    pub fn begin(&self, words: &mut [u64]) {
        let mut set = |word: Option<usize>, bits: u64| {
            if let Some(cell) = word.and_then(|word| words.get_mut(word)) {
                *cell = bits;
            }
        };
        for column in &self.columns {
            set(column.min, f64::INFINITY.to_bits());
            set(column.max, f64::NEG_INFINITY.to_bits());
            set(column.last, i64::MIN.cast_unsigned());
        }
    }

    /// The aggregates, in their order, of windows whose words lie one after the other.
    pub fn read_out(&self, words: &[u64]) -> Vec<Output> {
        self.readings.iter().map(|reading| self.read(*reading, words)).collect()
    }

    fn read(&self, reading: Reading, words: &[u64]) -> Output {
        let windows = words.chunks_exact(self.words);
        let at = |window: &[u64], word: usize| window.get(word).copied().unwrap_or(0);
        let number = |window: &[u64], word: usize| f64::from_bits(at(window, word));
        let count = |window: &[u64], missing: usize| at(window, 0).saturating_sub(at(window, missing));
        Output::Numbers(match reading {
            Reading::Rows => return Output::Counts(windows.map(|window| at(window, 0)).collect()),
            Reading::Count { missing } => {
                return Output::Counts(windows.map(|window| count(window, missing)).collect());
            }
            Reading::Value { word, missing } => windows
                .map(|window| if count(window, missing) == 0 { f64::NAN } else { number(window, word) })
                .collect(),
            // 0 / 0 is the NaN that says "no value".
            Reading::Mean { sum, missing } => {
                windows.map(|window| number(window, sum) / count(window, missing) as f64).collect()
            }
            Reading::RowsPerSecond => windows.map(|window| at(window, 0) as f64 / self.window_s).collect(),
            Reading::SumPerSecond { sum } => {
                windows.map(|window| number(window, sum) / self.window_s).collect()
            }
        })
    }
}
