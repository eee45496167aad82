//! Frames natively: cut anywhere, with noise, there and back.

use weir_sdk::Triplet;

use super::*;

const TIME_NS: i64 = 1_767_225_600_123_000_000;

fn codec() -> Telemetry {
    let config = serde_json::from_str(r#"{"channels": ["temperature", "voltage"], "scale": 0.5}"#).unwrap();
    Telemetry::open(config, &Setup { config: String::new(), extras: Vec::new() }).unwrap()
}

fn frame(sender: u16, channels: &[i16]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let frame = Frame { last: sender == 3, sender, time_unix_ns: TIME_NS, channels: channels.to_vec() };
    frame::write(&frame, &mut bytes).unwrap();
    bytes
}

fn incoming(bytes: &[u8], complete: bool) -> Incoming {
    let part = |text: &str| text.to_owned();
    let triplet = Triplet { application: part("a"), environment: part("b"), event_type: part("c") };
    Incoming { messages: pack([bytes]), complete, arrived: 0, triplet, extras: Vec::new() }
}

/// Senders and codes of defects, however the bytes come.
fn read(pieces: &[&[u8]]) -> (Vec<u64>, Vec<String>) {
    let mut codec = codec();
    let (mut senders, mut codes) = (Vec::new(), Vec::new());
    let mut held: Vec<u8> = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        held.extend_from_slice(piece);
        let complete = index + 1 == pieces.len();
        let decoded = codec.decode(incoming(&held, complete)).unwrap();
        for batch in &decoded.batches {
            if let Values::U64s(bytes) = &batch.column("sender").unwrap().values {
                senders.extend(U64s::new(bytes).iter());
            }
        }
        codes.extend(decoded.defects.into_iter().map(|defect| defect.code));
        held.drain(..decoded.consumed as usize);
    }
    (senders, codes)
}

#[test]
fn a_known_frame_has_known_bytes() {
    let bytes = frame(0x0102, &[1, -1, 2_047]);
    // 2026-01-01 is day 24,837 after 1958-01-01.
    let head = [0xEB, 0x90, 0x22, 0x01, 0x02, 0x61, 0x05, 0x00, 0x00, 0x00, 0x7B];
    let channels = [0x00, 0x1F, 0xFF, 0x7F, 0xF0];
    assert_eq!(bytes[..11], head);
    assert_eq!(bytes[11..16], channels);
    assert_eq!(frame::checksum(b"123456789"), 0x29B1);
    assert_eq!(bytes.len(), 18);
}

#[test]
fn frames_and_noise_are_the_same_cut_anywhere() {
    let mut bad = frame(9, &[5]);
    bad[12] ^= 1;
    let bytes = [
        &b"noise"[..],
        &frame(1, &[1, 2]),
        &bad,
        &frame(2, &[-2_048]),
        b"\xEBx",
        &frame(3, &[0; 16]),
        &[0xEB, 0x90, 0x20],
    ]
    .concat();
    let expected =
        (vec![1, 2, 3], ["no_sync", "bad_checksum", "no_sync", "cut_off"].map(str::to_owned).to_vec());
    for cut in 0..bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(read(&[first, second]), expected, "cut at {cut}");
    }
    let single: Vec<&[u8]> = bytes.chunks(1).collect();
    assert_eq!(read(&single), expected);
}

#[test]
fn long_noise_is_not_waited_on_for_ever() {
    let mut codec = codec();
    let decoded = codec.decode(incoming(&[b'x'; NOISE_BYTES_MAX + 1], false)).unwrap();
    assert_eq!((decoded.consumed as usize, decoded.defects.len()), (NOISE_BYTES_MAX + 1, 1));
}

#[test]
fn what_is_written_is_read_and_what_does_not_fit_is_said() {
    let mut codec = codec();
    let bytes = [frame(1, &[10, -3]), frame(3, &[7]), frame(2, &[4, 5])].concat();
    let decoded = codec.decode(incoming(&bytes, true)).unwrap();
    let mut batch = decoded.batches.into_iter().next().unwrap();
    let encoded = codec.encode(vec![batch.clone()]).unwrap();
    assert_eq!((encoded.messages.data, encoded.unwritable.len()), (bytes, 0));
    batch.columns[2] = Column::of_f64s("temperature", &[1e9, 3.5, 0.0]);
    let encoded = codec.encode(vec![batch]).unwrap();
    assert_eq!(encoded.messages.count(), 2);
    assert_eq!(encoded.unwritable[0].indexes, bytes_of(&[0_u32]));
}
