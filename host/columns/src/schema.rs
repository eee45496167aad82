//! What is known of the fields of all tables: names, nesting, and what a field is for.
//!
//! In: key names as they come, object by object; out: a number for each field. A field is a path (`a.b`), shared by all tables; which of
//! them has a column for it is the table's business. Two spellings of one path (`{"a.b":1}`, `{"a":{"b":1}}`) are one field for values and
//! duplicates.
//!
//! A field that a row brings is on probation until the row is committed; what the row's table has no room for is forgotten, as is
//! everything of a row that is rejected. So the number of fields is bounded by what tables keep.

use std::hash::{BuildHasher, Hasher};
use std::sync::Arc;

use arrow_schema::DataType;
use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::settings::Settings;

pub(crate) const NONE: u32 = u32::MAX;

/// A field, as long as the row in which it was found is not dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field(pub(crate) u32);

/// An object among the nested ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Object(pub(crate) u32);

impl Object {
    /// The event itself.
    pub const ROOT: Self = Self(0);
}

/// How a batch's schema differs from that of the table's batch before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    pub column: Arc<str>,
    pub kind: ChangeKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    /// The column has its first value.
    New(DataType),
    /// A wider number type.
    Widened { from: DataType, to: DataType },
    /// Values of several types came: they are text from now on.
    MixedToText { from: DataType },
    /// The dictionary became too large and was begun anew, under another identity.
    DictionaryReplaced,
    /// Names hardly repeat, or are too many: plain text from now on.
    DictionaryToText,
}

/// What a field is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Value,
    /// Its value chooses the table; the number among the route fields.
    Route(u8),
    Time,
}

#[derive(Debug)]
pub(crate) struct FieldEntry {
    pub name: Box<str>,
    /// The name can be the key of a `key=value` pair.
    pub is_word: bool,
    object: u32,
    /// The field that stands for all spellings of the path; most often this one.
    pub canonical: u32,
    /// Object that it leads to where its value is one.
    child: u32,
    /// The field that followed this one last time.
    next: u32,
    pub role: Role,
}

#[derive(Debug)]
struct ObjectEntry {
    /// Column names of its fields start so: empty, or a path that ends in a dot.
    prefix: Box<str>,
    /// The field that leads to it.
    parent: u32,
    /// Objects around its fields, itself included; 1: the event.
    depth: u32,
    /// The field that came first last time.
    first: u32,
}

#[derive(Debug)]
pub(crate) struct Fields {
    pub entries: Vec<FieldEntry>,
    /// For each canonical field the stamp of the last row that had it: finds duplicates.
    seen: Vec<u64>,
    objects: Vec<ObjectEntry>,
    /// By object and name.
    index: HashTable<u32>,
    /// Canonical fields by path.
    paths: HashTable<u32>,
    state: RandomState,
    /// Fields before this number stay.
    settled: usize,
    /// Objects before this number stay.
    objects_settled: usize,
}

impl Fields {
    pub fn new() -> Self {
        let root = ObjectEntry { prefix: "".into(), parent: NONE, depth: 1, first: NONE };
        Self {
            entries: Vec::new(),
            seen: Vec::new(),
            objects: vec![root],
            index: HashTable::new(),
            paths: HashTable::new(),
            state: RandomState::default(),
            settled: 0,
            objects_settled: 1,
        }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn settled(&self) -> usize {
        self.settled
    }

    pub fn get(&self, field: u32) -> Option<&FieldEntry> {
        self.entries.get(field as usize)
    }

    /// The field that followed `previous` (or [`NONE`]) in an object last time.
    #[inline(always)]
    pub fn expected(&self, object: u32, previous: u32) -> Option<(u32, &FieldEntry)> {
        let expected = match self.entries.get(previous as usize) {
            Some(entry) => entry.next,
            None => self.objects.get(object as usize)?.first,
        };
        Some((expected, self.entries.get(expected as usize).filter(|entry| entry.object == object)?))
    }

    /// The field of that name after `previous` (or [`NONE`]) in an object, where it is known.
    #[inline]
    pub fn find(&mut self, object: u32, previous: u32, name: &[u8]) -> Option<u32> {
        let expected = match self.entries.get(previous as usize) {
            Some(entry) => entry.next,
            None => self.objects.get(object as usize)?.first,
        };
        match self.entries.get(expected as usize) {
            // The number may have been forgotten and given again, to a field of another object.
            Some(entry) if entry.name.as_bytes() == name && entry.object == object => Some(expected),
            _ => self.look_up(object, previous, name),
        }
    }

    #[inline(never)]
    fn look_up(&mut self, object: u32, previous: u32, name: &[u8]) -> Option<u32> {
        let hash = hash(&self.state, object, name);
        let entries = &self.entries;
        let same = |number: &u32| {
            entries
                .get(*number as usize)
                .is_some_and(|entry| entry.object == object && entry.name.as_bytes() == name)
        };
        let found = *self.index.find(hash, same)?;
        self.expect(object, previous, found);
        Some(found)
    }

    fn expect(&mut self, object: u32, previous: u32, next: u32) {
        if let Some(entry) = self.entries.get_mut(previous as usize) {
            entry.next = next;
        } else if let Some(object) = self.objects.get_mut(object as usize) {
            object.first = next;
        }
    }

    /// A field on probation.
    pub fn insert(&mut self, object: u32, previous: u32, name: &str, settings: &Settings) -> u32 {
        let number = self.entries.len() as u32;
        let role = if object == Object::ROOT.0 { settings.role(name) } else { Role::Value };
        let canonical = self.same_path(object, name).unwrap_or(number);
        let is_word =
            !name.is_empty() && !name.bytes().any(|byte| byte <= b' ' || matches!(byte, b'=' | b'"'));
        let (child, next) = (NONE, NONE);
        self.entries.push(FieldEntry { name: name.into(), is_word, object, canonical, child, next, role });
        self.seen.push(0);
        let Self { entries, objects, index, paths, state, .. } = self;
        let key_hash = |number: &u32| {
            entries.get(*number as usize).map_or(0, |entry| hash(state, entry.object, entry.name.as_bytes()))
        };
        index.insert_unique(hash(state, object, name.as_bytes()), number, key_hash);
        if canonical == number {
            let path_of = |number: &u32| path_hash(state, path(entries, objects, *number));
            paths.insert_unique(path_of(&number), number, path_of);
        }
        self.expect(object, previous, number);
        number
    }

    /// A field with the same path by another spelling.
    fn same_path(&self, object: u32, name: &str) -> Option<u32> {
        let prefix = self.prefix(object);
        let hash = path_hash(&self.state, (prefix, name));
        let same = |number: &u32| {
            let (other_prefix, other) = path(&self.entries, &self.objects, *number);
            other_prefix.len() + other.len() == prefix.len() + name.len()
                && other_prefix.bytes().chain(other.bytes()).eq(prefix.bytes().chain(name.bytes()))
        };
        self.paths.find(hash, same).copied()
    }

    /// The object that a field leads to, made where it is not there.
    pub fn child(&mut self, field: u32) -> u32 {
        let number = self.objects.len() as u32;
        let Some(entry) = self.entries.get_mut(field as usize) else { return Object::ROOT.0 };
        if entry.child == NONE {
            entry.child = number;
            let around = self.objects.get(entry.object as usize);
            let (prefix, depth) = around.map_or(("", 0), |object| (&*object.prefix, object.depth));
            let prefix = format!("{prefix}{}.", entry.name).into();
            self.objects.push(ObjectEntry { prefix, parent: field, depth: depth + 1, first: NONE });
        }
        entry.child
    }

    pub fn prefix(&self, object: u32) -> &str {
        self.objects.get(object as usize).map_or("", |object| &object.prefix)
    }

    pub fn is_settled(&self, field: u32) -> bool {
        (field as usize) < self.settled
    }

    /// The object that a field stands in.
    pub fn object_of(&self, field: u32) -> u32 {
        self.get(field).map_or(Object::ROOT.0, |entry| entry.object)
    }

    /// The field that leads to an object.
    pub fn parent_of(&self, object: u32) -> u32 {
        self.objects.get(object as usize).map_or(NONE, |object| object.parent)
    }

    /// Objects around a field.
    pub fn depth_of(&self, field: u32) -> usize {
        self.depth(self.object_of(field))
    }

    /// Objects around the fields of an object, itself included.
    pub fn depth(&self, object: u32) -> usize {
        self.objects.get(object as usize).map_or(1, |object| object.depth as usize)
    }

    /// The name of a field's column: its path.
    pub fn column_name(&self, field: u32, settings: &Settings) -> Arc<str> {
        let (prefix, name) = path(&self.entries, &self.objects, field);
        match &settings.reserved_name {
            Some(reserved) if prefix.is_empty() && name == &**reserved => format!("_{name}").into(),
            _ => format!("{prefix}{name}").into(),
        }
    }

    /// Notes that the row numbered `stamp` has the canonical field; false where it had it before.
    #[inline(always)]
    pub fn mark(&mut self, canonical: u32, stamp: u64) -> bool {
        self.seen.get_mut(canonical as usize).is_none_or(|seen| std::mem::replace(seen, stamp) != stamp)
    }

    /// Fields before `keep` are settled, those from there on forgotten.
    pub fn settle(&mut self, keep: usize) {
        if self.entries.len() > keep {
            self.forget(keep);
        }
        self.settled = self.entries.len();
        self.objects_settled = self.objects.len();
    }

    #[inline(never)]
    fn forget(&mut self, keep: usize) {
        for number in (keep as u32..self.entries.len() as u32).rev() {
            let Some(entry) = self.get(number) else { continue };
            let key_hash = hash(&self.state, entry.object, entry.name.as_bytes());
            let path_hash = path_hash(&self.state, path(&self.entries, &self.objects, number));
            for (table, hash) in [(&mut self.index, key_hash), (&mut self.paths, path_hash)] {
                if let Ok(found) = table.find_entry(hash, |other| *other == number) {
                    found.remove();
                }
            }
        }
        self.entries.truncate(keep);
        self.seen.truncate(keep);
        // Numbers of forgotten fields that others still expect next are harmless: `find` looks at the object and the name.
        let gone = |object: &ObjectEntry| object.parent != NONE && object.parent as usize >= keep;
        let made = self.objects.get(self.objects_settled..).unwrap_or_default();
        if made.iter().all(gone) {
            self.objects.truncate(self.objects_settled);
        } else if made.iter().any(gone) {
            // Rare: a settled field has its first object in a row that also brings fields without room.
            self.renumber_objects(gone);
        }
    }

    /// Drops the objects of forgotten fields where objects that stay were made behind them.
    fn renumber_objects(&mut self, gone: impl Fn(&ObjectEntry) -> bool) {
        let mut moved = Vec::with_capacity(self.objects.len());
        let mut kept = 0;
        for object in &self.objects {
            moved.push(kept);
            kept += u32::from(!gone(object));
        }
        self.objects.retain(|object| !gone(object));
        let new_number = |old: u32| moved.get(old as usize).copied().unwrap_or(old);
        let rename = |entry: &mut FieldEntry| {
            entry.object = new_number(entry.object);
            if entry.child != NONE {
                entry.child = new_number(entry.child);
            }
        };
        self.entries.iter_mut().for_each(rename);
        let Self { entries, index, state, .. } = self;
        let hash_of = |number: &u32| {
            entries.get(*number as usize).map_or(0, |entry| hash(state, entry.object, entry.name.as_bytes()))
        };
        index.clear();
        for number in 0..entries.len() as u32 {
            index.insert_unique(hash_of(&number), number, hash_of);
        }
    }

    /// Gives the top fields their roles anew, because the names that count changed.
    pub fn assign_roles(&mut self, settings: &Settings) {
        for entry in self.entries.iter_mut().filter(|entry| entry.object == Object::ROOT.0) {
            entry.role = settings.role(&entry.name);
        }
    }
}

fn path<'a>(entries: &'a [FieldEntry], objects: &'a [ObjectEntry], field: u32) -> (&'a str, &'a str) {
    let Some(entry) = entries.get(field as usize) else { return ("", "") };
    let prefix = objects.get(entry.object as usize).map_or("", |object| &object.prefix);
    (prefix, &entry.name)
}

fn hash(state: &RandomState, object: u32, name: &[u8]) -> u64 {
    let mut hasher = state.build_hasher();
    hasher.write_u32(object);
    hasher.write(name);
    hasher.finish()
}

/// The same however the path is divided.
fn path_hash(state: &RandomState, (prefix, name): (&str, &str)) -> u64 {
    if prefix.is_empty() {
        return state.hash_one(name.as_bytes());
    }
    state.hash_one([prefix, name].concat().as_bytes())
}
