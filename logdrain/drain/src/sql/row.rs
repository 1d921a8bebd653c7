//! A row of an answer, whichever engine gave it.

use super::SqlError;
use super::value::{FromRow, Value};
use rusqlite::types::ValueRef;

/// A row of an answer.
#[derive(Debug)]
pub struct Row<'a>(Of<'a>);

#[derive(Debug)]
enum Of<'a> {
    File(&'a rusqlite::Row<'a>),
    #[cfg(feature = "postgres")]
    Journal(&'a tokio_postgres::Row),
}

impl<'a> Row<'a> {
    pub(super) const fn of_file(row: &'a rusqlite::Row<'a>) -> Self {
        Self(Of::File(row))
    }

    #[cfg(feature = "postgres")]
    pub(super) const fn of_journal(row: &'a tokio_postgres::Row) -> Self {
        Self(Of::Journal(row))
    }

    /// A column, the first one at 0.
    ///
    /// # Errors
    /// When it is nothing of that kind.
    pub fn get<T: FromRow>(&self, at: usize) -> Result<T, SqlError> {
        self.value(at)
            .and_then(T::from_value)
            .ok_or_else(|| SqlError::Damaged(format!("column {at} of an answer is not what it should be")))
    }

    fn value(&self, at: usize) -> Option<Value<'_>> {
        match self.0 {
            Of::File(row) => Some(match row.get_ref(at).ok()? {
                ValueRef::Null => Value::Null,
                ValueRef::Integer(number) => Value::Integer(number),
                ValueRef::Real(number) => Value::Real(number),
                ValueRef::Text(text) => Value::Text(std::str::from_utf8(text).ok()?),
                ValueRef::Blob(bytes) => Value::Blob(bytes),
            }),
            #[cfg(feature = "postgres")]
            Of::Journal(row) => row.try_get::<_, column::Column<'_>>(at).ok().map(|column| column.0),
        }
    }
}

#[cfg(feature = "postgres")]
mod column {
    use super::Value;
    use std::error::Error;
    use tokio_postgres::types::{FromSql, Type};

    /// A column, as the database has it.
    pub(super) struct Column<'a>(pub(super) Value<'a>);

    impl<'a> FromSql<'a> for Column<'a> {
        fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
            Ok(Self(match *ty {
                Type::BOOL => Value::Bool(bool::from_sql(ty, raw)?),
                Type::INT2 => Value::Integer(i16::from_sql(ty, raw)?.into()),
                Type::INT4 => Value::Integer(i32::from_sql(ty, raw)?.into()),
                Type::INT8 => Value::Integer(i64::from_sql(ty, raw)?),
                Type::FLOAT8 => Value::Real(f64::from_sql(ty, raw)?),
                Type::BYTEA => Value::Blob(<&[u8]>::from_sql(ty, raw)?),
                _ => Value::Text(<&str>::from_sql(ty, raw)?),
            }))
        }

        fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
            Ok(Self(Value::Null))
        }

        fn accepts(ty: &Type) -> bool {
            [Type::BOOL, Type::INT2, Type::INT4, Type::INT8, Type::FLOAT8, Type::BYTEA].contains(ty)
                || <&str as FromSql<'_>>::accepts(ty)
        }
    }
}
