//! "Did you mean": the candidate that is nearest to a word that was not found.
//!
//! Edit distance (insert, remove, replace, swap of two neighbours), at most a third of the word. Words are names of at most some hundred bytes.

/// Longest word that is compared; the work is its square.
const WORD_CHARS_MAX: usize = 128;

/// Either `; did you mean "x"?`, or the candidates where there are few, or nothing.
pub fn hint<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    if let Some(near) = nearest(word, &candidates) {
        return format!("; did you mean `{near}`?");
    }
    if candidates.is_empty() || candidates.len() > 16 {
        return String::new();
    }
    let list: Vec<String> = candidates.iter().map(|candidate| format!("`{candidate}`")).collect();
    format!("; there is {}", list.join(", "))
}

fn nearest<'a>(word: &str, candidates: &[&'a str]) -> Option<&'a str> {
    let budget = (word.chars().count() / 3).max(1);
    candidates
        .iter()
        .map(|candidate| (distance(word, candidate), *candidate))
        .filter(|(distance, _)| *distance <= budget)
        .min()
        .map(|(_, candidate)| candidate)
}

fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().take(WORD_CHARS_MAX).collect();
    let right: Vec<char> = right.chars().take(WORD_CHARS_MAX).collect();
    let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX / 2);
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=right.len()).collect();
    for (i, a) in left.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in right.iter().enumerate() {
            let replace = at(&last, j) + usize::from(a != b);
            let mut best = replace.min(at(&last, j + 1) + 1).min(at(&row, j) + 1);
            let swapped = i > 0 && j > 0 && left.get(i - 1) == Some(b) && right.get(j - 1) == Some(a);
            if swapped {
                best = best.min(at(&before_last, j - 1) + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    at(&last, right.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let names = ["lateness", "lanes", "lag"];
        assert_eq!(hint("latenes", names), "; did you mean `lateness`?");
        assert_eq!(hint("lnaes", names), "; did you mean `lanes`?");
        assert_eq!(hint("colour", names), "; there is `lateness`, `lanes`, `lag`");
        assert_eq!(hint("colour", []), "");
    }
}
