//! What a stream knows of the keys of its events: which column each is, and which key follows which.
//!
//! In: key names as they come, object by object; out: a number for each key. Senders repeat the order of their keys, so each key remembers
//! the one that followed it last time, and the common case is one comparison of two short texts without a hash.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use super::FieldNames;

/// No key, no column, no object.
pub(super) const NONE: u32 = u32::MAX;
/// The event itself among the objects.
pub(super) const ROOT: u32 = 0;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Field,
    /// Part 0, 1 or 2 of the triplet.
    Part(u8),
    Time,
}

#[derive(Debug)]
pub(super) struct Key {
    name: Box<str>,
    /// How a sender without white space writes it: `"name":`; empty where that needs escapes.
    written: Box<[u8]>,
    object: u32,
    /// The key that followed this one last time.
    next: u32,
    pub role: Role,
    /// Column of its plain values.
    pub column: u32,
    /// Object that it leads to where its value is one.
    pub child: u32,
    /// Stamp of the last row that had it: finds duplicates.
    pub seen: u64,
}

#[derive(Debug)]
struct Object {
    /// Column names of its keys start so: empty, or a path that ends in a dot.
    prefix: Box<str>,
    /// The key that came first last time.
    first: u32,
}

#[derive(Debug)]
pub(super) struct Keys {
    keys: Vec<Key>,
    objects: Vec<Object>,
    index: HashTable<u32>,
    state: RandomState,
}

impl Keys {
    pub fn new() -> Self {
        let root = Object { prefix: "".into(), first: NONE };
        Self { keys: Vec::new(), objects: vec![root], index: HashTable::new(), state: RandomState::default() }
    }

    pub fn len(&self) -> usize {
        self.keys.len()
    }

    pub fn get_mut(&mut self, key: u32) -> Option<&mut Key> {
        self.keys.get_mut(key as usize)
    }

    /// The key that came after `previous` (or [`NONE`]) last time, and how it is written.
    #[inline]
    pub fn expected(&self, object: u32, previous: u32) -> Option<(u32, &[u8])> {
        let number = match self.keys.get(previous as usize) {
            Some(key) => key.next,
            None => self.objects.get(object as usize)?.first,
        };
        let key = self.keys.get(number as usize)?;
        (!key.written.is_empty()).then_some((number, &key.written))
    }

    /// The key of that name after `previous` (or [`NONE`]) in an object.
    #[inline]
    pub fn find(&mut self, object: u32, previous: u32, name: &str) -> Option<u32> {
        let expected = match self.keys.get(previous as usize) {
            Some(key) => key.next,
            None => self.objects.get(object as usize)?.first,
        };
        match self.keys.get(expected as usize) {
            Some(key) if *key.name == *name => Some(expected),
            _ => self.look_up(object, previous, name),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, object: u32, previous: u32, name: &str) -> Option<u32> {
        let hash = hash(&self.state, object, name);
        let keys = &self.keys;
        let same =
            |key: &u32| keys.get(*key as usize).is_some_and(|key| key.object == object && *key.name == *name);
        let found = *self.index.find(hash, same)?;
        self.expect(object, previous, found);
        Some(found)
    }

    fn expect(&mut self, object: u32, previous: u32, next: u32) {
        if let Some(key) = self.keys.get_mut(previous as usize) {
            key.next = next;
        } else if let Some(object) = self.objects.get_mut(object as usize) {
            object.first = next;
        }
    }

    pub fn insert(&mut self, object: u32, previous: u32, name: &str, fields: &FieldNames) -> u32 {
        let number = self.keys.len() as u32;
        let role = if object == ROOT { role(name, fields) } else { Role::Field };
        let written = quoted(name, b"\":");
        self.keys.push(Key {
            name: name.into(),
            written,
            object,
            next: NONE,
            role,
            column: NONE,
            child: NONE,
            seen: 0,
        });
        let Self { keys, index, state, .. } = self;
        let hash_of = |key: &u32| keys.get(*key as usize).map_or(0, |key| hash(state, key.object, &key.name));
        index.insert_unique(hash(state, object, name), number, hash_of);
        self.expect(object, previous, number);
        number
    }

    /// The object that a key leads to, made where it is not there.
    pub fn child(&mut self, key: u32) -> u32 {
        let number = self.objects.len() as u32;
        let Some(entry) = self.keys.get_mut(key as usize) else { return ROOT };
        if entry.child == NONE {
            entry.child = number;
            let prefix = self.objects.get(entry.object as usize).map_or("", |object| &object.prefix);
            self.objects.push(Object { prefix: format!("{prefix}{}.", entry.name).into(), first: NONE });
        }
        entry.child
    }

    /// Bytes that a column name of an object starts with.
    pub fn prefix_bytes(&self, object: u32) -> usize {
        self.objects.get(object as usize).map_or(0, |object| object.prefix.len())
    }

    /// The name of a key's column. "time" is kept for the event time: a plain field of that name (where the event time has another one)
    /// becomes `_time`.
    pub fn column_name(&self, key: u32) -> String {
        let Some(key) = self.keys.get(key as usize) else { return String::new() };
        let prefix = self.objects.get(key.object as usize).map_or("", |object| &object.prefix);
        let name = format!("{prefix}{}", key.name);
        if name == "time" { "_time".to_owned() } else { name }
    }

    /// Gives the top keys their roles anew, because the field names changed.
    pub fn assign_roles(&mut self, fields: &FieldNames) {
        for key in self.keys.iter_mut().filter(|key| key.object == ROOT) {
            key.role = role(&key.name, fields);
        }
    }
}

/// A text as JSON without escapes, and what follows it (the closing quote first); empty where it needs escapes.
pub(super) fn quoted(text: &str, end: &[u8]) -> Box<[u8]> {
    if text.bytes().any(|byte| byte < 0x20 || byte == b'"' || byte == b'\\') {
        return Box::default();
    }
    [b"\"", text.as_bytes(), end].concat().into()
}

fn role(name: &str, fields: &FieldNames) -> Role {
    if name == &*fields.time {
        return Role::Time;
    }
    let parts = [&fields.application, &fields.environment, &fields.event_type];
    let part = parts.iter().position(|part| name == &***part);
    part.map_or(Role::Field, |part| Role::Part(part as u8))
}

fn hash(state: &RandomState, object: u32, name: &str) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u32(object);
    hasher.write(name.as_bytes());
    hasher.finish()
}
