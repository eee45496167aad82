//! Count, mean and variance in three numbers.
//!
//! Welford's update (Knuth, The Art of Computer Programming 2, 4.2.2) for a value, Chan, Golub and LeVeque's for a merge: no sum of squares, so nothing is
//! lost where the mean is great and the variance small. All zeros is the empty summary.

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Moments {
    pub count: u64,
    pub mean: f64,
    /// Sum of the squared distances from the mean.
    pub m2: f64,
}

impl Moments {
    #[inline]
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.mean;
        self.mean += before / self.count as f64;
        self.m2 += before * (value - self.mean);
    }

    pub fn merge(&mut self, other: &Self) {
        if other.count == 0 {
            return;
        }
        if self.count == 0 {
            *self = *other;
            return;
        }
        let (mine, others) = (self.count as f64, other.count as f64);
        let (all, apart) = (mine + others, other.mean - self.mean);
        self.mean += apart * others / all;
        self.m2 += other.m2 + apart * apart * mine * others / all;
        self.count += other.count;
    }

    /// Of the values as a sample (divided by n - 1); none of fewer than two.
    pub fn variance(&self) -> Option<f64> {
        (self.count > 1).then(|| (self.m2 / (self.count - 1) as f64).max(0.0))
    }

    pub fn deviation(&self) -> Option<f64> {
        self.variance().map(f64::sqrt)
    }
}
