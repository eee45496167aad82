//! What `rollup` and `aggregate` compute: functions of columns, folded row by row into cells.
//!
//! A cell is what is remembered of one key (and window): words of 8 bytes that all cells have alike ([`layout`]) and, where they are asked for, sketches
//! ([`sketches`]). Configured functions ([`function`]) come in; columns of a batch ([`columns`]) are folded ([`words`]) into cells that lie in a cache
//! ([`cache`]) over the host's state: by window ([`windows`], [`sessions`]) or one for each key ([`cells`]); columns of results go out. Rows are folded in their order, so equal rows give equal bits however they are cut into batches.

pub mod cache;
pub mod cells;
pub mod columns;
pub mod function;
pub mod host;
pub mod layout;
pub mod sessions;
pub mod sketches;
pub mod steps;
pub mod stored;
pub mod windows;
pub mod words;
