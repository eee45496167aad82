//! The `where` of a plan, evaluated natively before a unit is called.

use arrow_array::cast::AsArray;
use arrow_array::types::UInt32Type;
use arrow_array::{Array, ArrayRef, StringArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::DataType;
use weir_expr::{Bits, Columns, Expr, Packed, Source, View};

use crate::batch::Batch;

/// The rows of a batch for which the expression is true; a row without a truth value is left out.
pub fn mask(expr: &Expr, batch: &Batch) -> BooleanBuffer {
    let mut columns = Columns::new(batch.rows());
    columns.add("time", Source { view: View::Timestamps(batch.time.inner().as_slice()), valid: None });
    let schema = batch.columns.schema_ref();
    let wanted = expr.columns();
    for (field, array) in schema.fields().iter().zip(batch.columns.columns()) {
        if wanted.iter().any(|name| name == field.name())
            && let Some(source) = source(array)
        {
            columns.add(field.name(), source);
        }
    }
    let mask = expr.mask(&columns);
    BooleanBuffer::collect_bool(batch.rows(), |row| mask.get(row) == Some(&1))
}

fn source(array: &ArrayRef) -> Option<Source<'_>> {
    let valid = array.nulls().map(|nulls| bits(nulls.inner()));
    let view = match array.data_type() {
        DataType::Float64 => {
            View::F64s(array.as_primitive::<arrow_array::types::Float64Type>().values().inner().as_slice())
        }
        DataType::Int64 => {
            View::S64s(array.as_primitive::<arrow_array::types::Int64Type>().values().inner().as_slice())
        }
        DataType::UInt64 => {
            View::U64s(array.as_primitive::<arrow_array::types::UInt64Type>().values().inner().as_slice())
        }
        DataType::Timestamp(_, _) => View::Timestamps(
            array.as_primitive::<arrow_array::types::TimestampNanosecondType>().values().inner().as_slice(),
        ),
        DataType::Boolean => View::Bools(bits(array.as_boolean().values())),
        DataType::Utf8 => View::Texts(packed(array.as_string::<i32>())),
        DataType::Binary => {
            let blobs = array.as_binary::<i32>();
            View::Blobs(Packed {
                offsets: blobs.offsets().inner().inner().as_slice(),
                data: blobs.values().as_slice(),
            })
        }
        DataType::Dictionary(_, _) => {
            let codes = array.as_dictionary::<UInt32Type>();
            let names = packed(codes.values().as_string_opt::<i32>()?);
            View::Categories { codes: codes.keys().values().inner().as_slice(), names }
        }
        _ => return None,
    };
    Some(Source { view, valid })
}

fn bits(buffer: &BooleanBuffer) -> Bits<'_> {
    Bits::Bits { bytes: buffer.values(), offset: buffer.offset() }
}

fn packed(texts: &StringArray) -> Packed<'_> {
    Packed { offsets: texts.offsets().inner().inner().as_slice(), data: texts.values().as_slice() }
}
