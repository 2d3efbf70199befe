// Part of the tests of each crate: runs a fuzz body over its corpus and over inputs made from it,
// so that a plain `cargo test` notices what a fuzzer would find in its first second. Who includes it
// says how many: `MADE_INPUTS`.

/// Feeds `body` with every file of `corpus/<target>`, then with mutations of them.
fn replay(target: &str, body: fn(&[u8])) {
    let folder =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).expect("each target has a corpus folder");
    let mut names: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    names.sort(); // the same inputs on every machine
    let seeds: Vec<Vec<u8>> = names.iter().map(|name| std::fs::read(name).unwrap()).collect();
    assert!(!seeds.is_empty(), "an empty corpus tests nothing");
    for seed in &seeds {
        body(seed);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for _ in 0..MADE_INPUTS {
        body(&mutate(&seeds, &mut random));
    }
}

/// One seed with a few bytes set, removed or doubled, or with the tail of another.
fn mutate(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..=random.below(3) {
        let place = random.below(bytes.len() + 1);
        match random.below(5) {
            0 if place < bytes.len() => bytes[place] = random.byte(),
            1 if place < bytes.len() => bytes[place] ^= 1 << random.below(8),
            2 if place < bytes.len() => drop(bytes.remove(place)),
            3 => bytes.insert(place, random.byte()),
            _ => {
                let other = &seeds[random.below(seeds.len())];
                bytes.truncate(place);
                bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
            }
        }
    }
    bytes
}

/// Numbers by xorshift64: the same on every run, so a failure comes back.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }

    /// Any byte, or one that means something in the grammars at hand.
    fn byte(&mut self) -> u8 {
        let telling = b"\r\n\t \0:;,=-*/.%\"?#0179afFW\x7f\x80\xff";
        match self.below(2) {
            0 => telling[self.below(telling.len())],
            _ => self.next().to_le_bytes()[0],
        }
    }
}
