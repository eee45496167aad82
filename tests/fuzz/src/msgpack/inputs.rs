//! Inputs of MessagePack events: maps of all types in all their encodings, one behind the other and in arrays, half of them with damage.
//!
//! Names come from a bounded list, so that a decoder that lives long meets each of them again with other types and in other orders.

use crate::damage::damage;
use crate::random::Random;

const NAMES: [&str; 18] = [
    "a",
    "b",
    "c",
    "host",
    "status",
    "latency_ms",
    "n",
    "o",
    "",
    "time",
    "type",
    "a.b",
    "é",
    "x",
    "y",
    "id",
    "long_name_of_a_field_that_goes_on_beyond_thirty_two_bytes",
    "application",
];

const WORDS: [&str; 8] = ["", "a", "web-1", "grün", "\u{1f600}", "a\"b\\c", "line\nfeed\u{8}\u{1}", "t"];

/// Maps as senders write them, each with the same keys in the same order.
const USUAL: [&[&str]; 3] = [
    &["type", "host", "status", "latency_ms", "time"],
    &["host", "n", "x", "y"],
    &["id", "a", "b", "c", "o"],
];

pub fn input(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    for _ in 0..1 + random.below(3) {
        if random.chance(20) {
            let length = random.below(4);
            head(random, &mut bytes, length, (0x90, 15, 0xdc));
            (0..length).for_each(|_| event(random, &mut bytes));
        } else {
            event(random, &mut bytes);
        }
    }
    if random.chance(40) {
        damage(
            random,
            &mut bytes,
            b"\x80\x81\x90\xa1\xc0\xc1\xc4\xc7\xca\xcb\xcf\xd3\xd6\xd9\xdc\xdf\xff\x00\xa4",
        );
    }
    bytes
}

fn event(random: &mut Random, bytes: &mut Vec<u8>) {
    if random.chance(3) {
        return value(random, bytes, 0);
    }
    if random.chance(50) {
        let names = random.pick(&USUAL).copied().unwrap_or_default();
        head(random, bytes, names.len(), (0x80, 15, 0xde));
        for name in names {
            text(random, bytes, name);
            field(random, bytes, name, 0);
        }
        return;
    }
    map(random, bytes, 0);
}

fn map(random: &mut Random, bytes: &mut Vec<u8>, depth: usize) {
    let pairs = random.below(if depth == 0 { 8 } else { 4 });
    head(random, bytes, pairs, (0x80, 15, 0xde));
    for _ in 0..pairs {
        let name = random.pick(&NAMES).copied().unwrap_or_default();
        match random.below(20) {
            0 => bytes.push(random.byte() & 0x7f),
            1 => bytes.extend_from_slice(&[0xd0, random.byte()]),
            2 => {
                bytes.extend_from_slice(&[0xc4, name.len() as u8]);
                bytes.extend_from_slice(name.as_bytes());
            }
            _ => text(random, bytes, name),
        }
        field(random, bytes, name, depth);
    }
}

fn field(random: &mut Random, bytes: &mut Vec<u8>, name: &str, depth: usize) {
    match name {
        "type" | "application" if depth == 0 && random.chance(90) => {
            let word = random.pick(&["t", "u", "a/b"]).copied().unwrap_or_default();
            text(random, bytes, word);
        }
        "time" if depth == 0 && random.chance(80) => time(random, bytes),
        _ => value(random, bytes, depth),
    }
}

fn time(random: &mut Random, bytes: &mut Vec<u8>) {
    let seconds = 1_795_262_400 + random.below(1_000) as u64;
    match random.below(5) {
        0 => {
            bytes.extend_from_slice(&[0xd6, 0xff]);
            bytes.extend_from_slice(&(seconds as u32).to_be_bytes());
        }
        1 => {
            bytes.extend_from_slice(&[0xd7, 0xff]);
            bytes.extend_from_slice(&((random.bits() % 1_000_000_100) << 34 | seconds).to_be_bytes());
        }
        2 => {
            bytes.extend_from_slice(&[0xc7, 12, 0xff]);
            bytes.extend_from_slice(&(random.below(1_000_000_000) as u32).to_be_bytes());
            bytes.extend_from_slice(&((random.bits() as i64) >> random.below(40)).to_be_bytes());
        }
        3 => text(random, bytes, "2026-11-21T12:00:07.301Z"),
        _ => {
            bytes.push(0xcf);
            bytes.extend_from_slice(&(seconds * 1_000).to_be_bytes());
        }
    }
}

/// A length in one of its encodings: in the first byte, or in two or four behind it.
fn head(random: &mut Random, bytes: &mut Vec<u8>, length: usize, (short, short_max, long): (u8, usize, u8)) {
    match random.below(20) {
        0 => {
            bytes.push(long);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        1 => {
            bytes.push(long + 1);
            bytes.extend_from_slice(&(length as u32).to_be_bytes());
        }
        _ if length <= short_max => bytes.push(short | length as u8),
        _ => {
            bytes.push(long);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
    }
}

fn text(random: &mut Random, bytes: &mut Vec<u8>, text: &str) {
    if random.chance(3) {
        bytes.extend_from_slice(&[0xd9, text.len() as u8]);
    } else {
        head(random, bytes, text.len(), (0xa0, 31, 0xda));
    }
    bytes.extend_from_slice(text.as_bytes());
}

fn value(random: &mut Random, bytes: &mut Vec<u8>, depth: usize) {
    match random.below(if depth < 5 { 16 } else { 12 }) {
        0 => bytes.push(random.byte() & 0x7f),
        1 => bytes.push(0xe0 | random.byte()),
        2 => bytes.push(random.pick(&[0xc0, 0xc2, 0xc3]).copied().unwrap_or_default()),
        3 => {
            bytes.push(0xca);
            bytes.extend_from_slice(&(random.below(10_000) as f32 / 8.0).to_be_bytes());
        }
        4 | 5 => {
            let value = if random.chance(20) {
                f64::from_bits(random.bits())
            } else {
                random.below(100_000) as f64 / 1e3
            };
            bytes.push(0xcb);
            bytes.extend_from_slice(&value.to_be_bytes());
        }
        6 | 7 => {
            // Unsigned and signed, of one to eight bytes.
            let size = random.below(4);
            bytes.push(if random.chance(50) { 0xcc } else { 0xd0 } + size as u8);
            let value = (random.bits() >> random.below(64)).to_be_bytes();
            bytes.extend_from_slice(value.get(8 - (1 << size)..).unwrap_or_default());
        }
        8 => {
            let length = random.below(40);
            bytes.extend_from_slice(&[0xc4, length as u8]);
            (0..length).for_each(|_| bytes.push(random.byte()));
        }
        9 => {
            let size = random.below(5);
            bytes.extend_from_slice(&[0xd4 + size as u8, random.byte()]);
            (0..1 << size).for_each(|_| bytes.push(random.byte()));
        }
        10 | 11 => {
            let word = random.pick(&WORDS).copied().unwrap_or_default();
            text(random, bytes, word);
        }
        12 | 13 => {
            let length = random.below(4);
            head(random, bytes, length, (0x90, 15, 0xdc));
            (0..length).for_each(|_| value(random, bytes, depth + 1));
        }
        _ => map(random, bytes, depth + 1),
    }
}
