//! What a program wants of the tables: which fields choose the table, which one is the time, and the bounds.

use std::sync::Arc;

use crate::limits::Limits;
use crate::schema::Role;
use crate::time::TimeUnit;

/// Most route fields.
pub const ROUTE_FIELDS_MAX: usize = 4;

#[derive(Clone, Debug)]
pub struct Settings {
    pub limits: Limits,
    /// Names of the top fields whose values choose a row's table; at most [`ROUTE_FIELDS_MAX`], further ones are plain fields. They become
    /// no columns.
    pub route_fields: Vec<Arc<str>>,
    /// Name of the top field that is the row's time; it becomes no column. None: rows have the time of their arrival.
    pub time_field: Option<Arc<str>>,
    /// What a number in the time field counts.
    pub time_unit: TimeUnit,
    /// A column name that is kept for something else: a top field of that name becomes `_name`.
    pub reserved_name: Option<Arc<str>>,
    /// Key in a field's metadata under which a dictionary's identity stands.
    pub dictionary_id_key: Arc<str>,
}

impl Default for Settings {
    /// One table, no time field.
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            route_fields: Vec::new(),
            time_field: None,
            time_unit: TimeUnit::ByMagnitude,
            reserved_name: None,
            dictionary_id_key: "columns.dictionary".into(),
        }
    }
}

impl Settings {
    pub(crate) fn role(&self, name: &str) -> Role {
        if self.time_field.as_deref() == Some(name) {
            return Role::Time;
        }
        let route = self.route_fields.iter().take(ROUTE_FIELDS_MAX).position(|field| name == &**field);
        route.map_or(Role::Value, |route| Role::Route(route as u8))
    }

    /// Whether a top field of that name is no plain value.
    pub(crate) fn is_special(&self, name: &[u8]) -> bool {
        let routes = self.route_fields.iter().take(ROUTE_FIELDS_MAX);
        routes.chain(&self.time_field).any(|field| field.as_bytes() == name)
    }

    /// Bits of all route fields.
    pub(crate) fn all_routes(&self) -> u8 {
        (1u8 << self.route_fields.len().min(ROUTE_FIELDS_MAX)) - 1
    }
}
