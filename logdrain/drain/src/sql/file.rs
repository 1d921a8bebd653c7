//! A file of SQLite.

use super::SqlError;
use super::row::Row;
use super::value::Value;
use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ErrorCode};
use std::path::Path;

/// What SQLite says of a file, which is named.
pub(super) fn said(db: &Connection, error: &rusqlite::Error) -> SqlError {
    use ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, ReadOnly, SystemIoFailure,
    };
    let name = db.path().and_then(|path| Path::new(path).file_name()).unwrap_or_default();
    let why = format!("{}: {error}", name.display());
    match error.sqlite_error_code() {
        Some(DatabaseCorrupt | NotADatabase) => SqlError::Damaged(why),
        Some(DiskFull | SystemIoFailure | DatabaseBusy | DatabaseLocked | ReadOnly | CannotOpen) => SqlError::Away(why),
        _ => SqlError::Words(why),
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match *self {
            Value::Null => ValueRef::Null,
            Value::Integer(number) => ValueRef::Integer(number),
            Value::Real(number) => ValueRef::Real(number),
            Value::Bool(is) => ValueRef::Integer(i64::from(is)),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

/// A statement with its values. To SQLite `$2` is a name, and it counts those in the order in which they come.
fn bind(db: &Connection, statement: &mut CachedStatement<'_>, values: &[Value<'_>]) -> Result<(), SqlError> {
    let wrong = || SqlError::Words("a statement has other values than it names".to_owned());
    for index in 1..=statement.parameter_count() {
        let number = statement.parameter_name(index).and_then(|name| name.strip_prefix('$')?.parse::<usize>().ok());
        let value = number.and_then(|number| values.get(number.checked_sub(1)?)).ok_or_else(wrong)?;
        statement.raw_bind_parameter(index, value).map_err(|error| said(db, &error))?;
    }
    if statement.parameter_count() == values.len() { Ok(()) } else { Err(wrong()) }
}

pub(super) fn execute<'v>(db: &Connection, sql: &str, all: &[impl AsRef<[Value<'v>]>]) -> Result<u64, SqlError> {
    let mut statement = db.prepare_cached(sql).map_err(|error| said(db, &error))?;
    let mut changed = 0_u64;
    for values in all {
        bind(db, &mut statement, values.as_ref())?;
        let more = statement.raw_execute().map_err(|error| said(db, &error))?;
        changed = changed.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
    }
    Ok(changed)
}

pub(super) fn rows<T, E: From<SqlError>>(
    db: &Connection,
    sql: &str,
    values: &[Value<'_>],
    mut read: impl FnMut(&Row<'_>) -> Result<T, E>,
) -> Result<Vec<T>, E> {
    let mut statement = db.prepare_cached(sql).map_err(|error| said(db, &error))?;
    bind(db, &mut statement, values)?;
    let mut rows = statement.raw_query();
    let mut all = Vec::new();
    while let Some(row) = rows.next().map_err(|error| said(db, &error))? {
        all.push(read(&Row::of_file(row))?);
    }
    Ok(all)
}
