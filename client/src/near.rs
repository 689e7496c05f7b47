//! Words that are nearly others: what a person has mistyped is not taken for a word of its own.

/// The word of `known` that `written` is nearly and not quite; none if it is one of them, or like none.
#[must_use]
pub fn meant<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    if known.contains(&written) {
        return None;
    }
    let letters = |word: &str| word.chars().count();
    // A third of its letters may be wrong; what is too long for any is not compared with each.
    let longest = known.iter().map(|word| letters(word)).max()?;
    if letters(written) * 3 > longest * 4 {
        return None;
    }
    let far = |word: &&'a str| steps(written, word);
    let nearest = known.iter().copied().min_by_key(far)?;
    let near = steps(written, nearest) * 3 <= letters(nearest);
    near.then_some(nearest)
}

/// How many letters are to be added, taken away or changed to make one word of another.
fn steps(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.to_lowercase().chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (at, letter) in from.to_lowercase().chars().enumerate() {
        let mut before = row[0];
        row[0] = at + 1;
        for (place, other) in to.iter().enumerate() {
            let changed = before + usize::from(letter != *other);
            before = row[place + 1];
            row[place + 1] = changed.min(row[place] + 1).min(before + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearly_a_word_is_meant_to_be_it() {
        let known = [
            "exonerated",
            "wrong-recipient",
            "subjects",
            "hashes",
            "urls",
        ];
        for (written, word) in [
            ("exonerate", Some("exonerated")),
            ("Exonerated", Some("exonerated")),
            ("exonarated", Some("exonerated")),
            ("wrong_recipient", Some("wrong-recipient")),
            ("subject", Some("subjects")),
            ("hashs", Some("hashes")),
            ("url", Some("urls")),
            ("exonerated", None),
            ("case-closed", None),
            ("note", None),
            ("wrong-recipient-of-a-report", None),
            ("", None),
        ] {
            assert_eq!(meant(written, &known), word, "{written}");
        }
        assert_eq!(meant("urls", &[]), None);
        assert_eq!((steps("", "abc"), steps("abc", "")), (3, 3));
    }
}
