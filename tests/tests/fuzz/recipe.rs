//! From random bytes to a changed copy of something valid: random bytes alone rarely get past a header.

/// Bytes that stand at the edge of something in every binary format here: numbers that are too long, too big, or
/// written longer than needed.
const EDGES: [&[u8]; 8] = [
    &[0],
    &[1],
    &[0x7f],
    &[0x80, 0x00],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff],
    &[0xc3, 0x28],
];

/// Reads a recipe; at its end everything is zero.
struct Recipe<'a>(&'a [u8]);

impl Recipe<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    /// From 0 up to `below`, or 0.
    fn number(&mut self, below: usize) -> usize {
        let bytes = [self.byte(), self.byte(), self.byte()];
        (usize::from(bytes[0]) << 16 | usize::from(bytes[1]) << 8 | usize::from(bytes[2])) % below.max(1)
    }
}

/// One of `seeds`, changed in one to four places. `words` are what the format is made of.
pub(crate) fn changed(seeds: &[Vec<u8>], words: &[&[u8]], recipe: &[u8]) -> Vec<u8> {
    let mut recipe = Recipe(recipe);
    let mut bytes = seeds[recipe.number(seeds.len())].clone();
    for _ in 0..=recipe.number(4) {
        change(&mut bytes, seeds, words, &mut recipe);
    }
    bytes
}

fn change(bytes: &mut Vec<u8>, seeds: &[Vec<u8>], words: &[&[u8]], recipe: &mut Recipe<'_>) {
    let kind = recipe.byte() % 12;
    let at = recipe.number(bytes.len());
    let end = (at + 1 + recipe.number(32)).min(bytes.len());
    match kind {
        _ if bytes.is_empty() => bytes.push(recipe.byte()),
        0 | 1 => bytes[at] ^= 1 << (recipe.byte() % 8),
        2 => bytes[at] = recipe.byte(),
        3 => bytes[at] = bytes[at].wrapping_add(1),
        4 => bytes.insert(at, recipe.byte()),
        5 => drop(bytes.drain(at..end)),
        6 => bytes.truncate(at),
        7 => bytes.extend_from_within(at..end),
        8 => {
            let again = bytes[at..end].repeat(1 + recipe.number(40));
            bytes.splice(at..at, again);
        }
        9 => {
            let edge = EDGES[recipe.number(EDGES.len())];
            bytes.splice(at..end.min(at + edge.len()), edge.iter().copied());
        }
        10 if !words.is_empty() => {
            let word = words[recipe.number(words.len())];
            bytes.splice(at..at, word.iter().copied());
        }
        _ => {
            let other = &seeds[recipe.number(seeds.len())];
            let from = recipe.number(other.len());
            bytes.splice(at.., other[from..].iter().copied());
        }
    }
}

#[test]
fn recipes_change_what_they_are_given() {
    let seeds = [b"first seed".to_vec(), b"second".to_vec()];
    assert_eq!(changed(&seeds, &[], &[]), b"girst seed".map(|b| if b == b'g' { b'f' ^ 1 } else { b }));
    // Whatever the kind of change, most recipes change something.
    let different = (0..=255u8).filter(|kind| {
        let recipe = [0, 0, 1, 0, 0, 0, *kind, 0, 0, 3, 0, 0, 2, 77, 78, 79];
        changed(&seeds, &[b"word"], &recipe) != seeds[1]
    });
    assert!(different.count() > 200);
}
