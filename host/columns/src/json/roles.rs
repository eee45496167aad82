//! Values that are no columns: the event time and the parts of the route.
//!
//! In: where the value begins. Out: where it ends; the time or the part is staged. What is none is refused with `bad_time`, or with what the
//! [`Router`](crate::Router) says. Plain texts are read in place, everything else with care ([`Rows::read`]).

use super::number::Number;
use super::rows::{Found, Rows};
use super::stop::Stop;
use crate::lanes::Lanes;
use crate::reject::Refusal;
use crate::row::check_length;
use crate::schema::NONE;
use crate::stage::Span;
use crate::tables::Tables;
use crate::time::USUAL_BYTES;

impl Rows<'_> {
    /// Reads the time at `at`; what follows it.
    #[inline(always)]
    pub(super) fn event_time<L: Lanes>(&mut self, chunk: &[u8], at: usize) -> Result<usize, Stop> {
        if chunk.get(at) == Some(&b'"') {
            let start = at + 1;
            // The usual form has no byte in it that would end the text.
            if let Some(usual) = chunk.get(start..).and_then(|rest| rest.first_chunk::<USUAL_BYTES>())
                && chunk.get(start + USUAL_BYTES) == Some(&b'"')
                && let Some(time_unix_ns) = self.tables.time.usual(usual)
            {
                self.tables.stage.time_unix_ns = Some(time_unix_ns);
                return Ok(start + USUAL_BYTES + 1);
            }
            let end = L::plain_end(chunk, start);
            if chunk.get(end) == Some(&b'"')
                && let Some(time_unix_ns) = self.tables.time.read(chunk.get(start..end).unwrap_or_default())
            {
                self.tables.stage.time_unix_ns = Some(time_unix_ns);
                return Ok(end + 1);
            }
        }
        self.rare_time(at)
    }

    #[inline(never)]
    fn rare_time(&mut self, at: usize) -> Result<usize, Stop> {
        let (found, end) = self.read(at, NONE)?;
        let Tables { stage, time, settings, .. } = &mut *self.tables;
        let unit = settings.time_unit;
        let read = match &found {
            Found::Text(span) => time.read(stage.text(self.chunk, *span)),
            Found::Number(Number::Int(value)) => unit.integer(*value),
            Found::Number(Number::Float(value)) => unit.float(*value),
            Found::Null => return Ok(end),
            _ => None,
        };
        match read {
            Some(time_unix_ns) => {
                stage.time_unix_ns = Some(time_unix_ns);
                Ok(end)
            }
            None => Err(self.bad_time(&found).into()),
        }
    }

    #[cold]
    fn bad_time(&self, found: &Found) -> Refusal {
        let said = match found {
            Found::Text(span) => {
                let text = String::from_utf8_lossy(self.tables.stage.text(self.chunk, *span));
                format!("`{}`", crate::shown(&text))
            }
            Found::Number(_) => "a number out of range".to_owned(),
            _ => "another type".to_owned(),
        };
        self.tables.bad_time(&said)
    }

    /// Reads a part of the route at `at`; what follows it.
    #[inline(always)]
    pub(super) fn route<L: Lanes>(
        &mut self,
        chunk: &[u8],
        at: usize,
        field: u32,
        route: u8,
    ) -> Result<usize, Stop> {
        if chunk.get(at) == Some(&b'"') {
            let start = at + 1;
            let end = L::plain_end(chunk, start);
            let length = end - start;
            if chunk.get(end) == Some(&b'"') && length <= self.tables.settings.limits.string_bytes_max {
                self.tables.stage_route(chunk, route, Span { start, length, copied: false });
                return Ok(end + 1);
            }
        }
        self.rare_route(at, field, route)
    }

    #[inline(never)]
    fn rare_route(&mut self, at: usize, field: u32, route: u8) -> Result<usize, Stop> {
        let (found, end) = self.read(at, field)?;
        match found {
            Found::Text(span) => {
                check_length(span.length, self.tables.settings.limits.string_bytes_max)?;
                self.tables.stage_route(self.chunk, route, span);
            }
            Found::Null => {}
            _ => {
                let name = self.tables.fields.column_name(field, &self.tables.settings);
                return Err(self.router.not_text(&name).into());
            }
        }
        Ok(end)
    }
}
