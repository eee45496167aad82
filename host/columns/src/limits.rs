//! Bounds of decoding. The defaults are what one event sender may ask of a program that shares a machine; each is far above honest use.

/// What decoders and [`Tables`](crate::Tables) accept. Sizes in bytes.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Longest event; a longer one is rejected.
    pub event_bytes_max: usize,
    /// Objects and arrays inside each other, the event itself included; a deeper event is rejected.
    pub depth_max: usize,
    /// Keys of one event, those of nested objects included (those inside arrays not); more: rejected.
    pub keys_max: usize,
    /// Longest column name (the path of a nested key); longer: rejected.
    pub name_bytes_max: usize,
    /// Longest text value, or array as JSON text; longer: rejected.
    pub string_bytes_max: usize,
    /// Columns of one table; values of further ones are dropped and counted, the event stays.
    pub columns_max: usize,
    /// Tables; an event of a further one is rejected.
    pub tables_max: usize,
    /// Learned fields of all tables, for their memory; values of further ones are dropped and counted.
    pub fields_max: usize,
    /// Rows at which a batch is full.
    pub batch_rows_max: usize,
    /// Bytes of events at which a batch is full.
    pub batch_bytes_max: usize,
    /// Age of the first row at which a batch is due, ns.
    pub batch_age_max_ns: i64,
    /// Names of one dictionary; more: the column becomes plain text.
    pub dictionary_names_max: usize,
    /// Bytes of names of one dictionary; more: a new dictionary, with a new identity, takes its place.
    pub dictionary_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            event_bytes_max: 256 * 1024,
            depth_max: 64,
            keys_max: 1_024,
            name_bytes_max: 256,
            string_bytes_max: 64 * 1024,
            columns_max: 256,
            tables_max: 10_000,
            fields_max: 256 * 1024,
            batch_rows_max: 4_096,
            batch_bytes_max: 4 * 1024 * 1024,
            batch_age_max_ns: 5_000_000,
            dictionary_names_max: 65_536,
            dictionary_bytes_max: 1024 * 1024,
        }
    }
}
