//! What goes into a statement, and what comes out of it.

/// A value of a column, of the kinds that both engines have.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Value<'a> {
    Null,
    Integer(i64),
    Real(f64),
    /// A number, 0 or 1, in a file.
    Bool(bool),
    Text(&'a str),
    Blob(&'a [u8]),
}

macro_rules! integers {
    ($($number:ty),*) => { $(
        impl From<$number> for Value<'_> {
            fn from(number: $number) -> Self {
                Self::Integer(i64::from(number))
            }
        }

        impl FromRow for $number {
            fn from_value(value: Value<'_>) -> Option<Self> {
                if let Value::Integer(number) = value { Self::try_from(number).ok() } else { None }
            }
        }
    )* };
}
integers!(i64, i32, u32, u8);

impl From<f64> for Value<'_> {
    fn from(number: f64) -> Self {
        Self::Real(number)
    }
}

impl From<bool> for Value<'_> {
    fn from(is: bool) -> Self {
        Self::Bool(is)
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(text)
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a> From<&'a Vec<u8>> for Value<'a> {
    fn from(bytes: &'a Vec<u8>) -> Self {
        Self::Blob(bytes)
    }
}

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(text: &'a Option<String>) -> Self {
        text.as_ref().map_or(Self::Null, Into::into)
    }
}

/// What a column can be read as.
pub trait FromRow: Sized {
    /// `None` when it is something else.
    fn from_value(value: Value<'_>) -> Option<Self>;
}

/// An id, or how many there are: none below 0.
impl FromRow for u64 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        i64::from_value(value).and_then(|number| Self::try_from(number).ok())
    }
}

impl FromRow for f64 {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Real(number) = value { Some(number) } else { None }
    }
}

impl FromRow for bool {
    fn from_value(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Bool(is) => Some(is),
            Value::Integer(number) => Some(number != 0),
            _ => None,
        }
    }
}

impl FromRow for String {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Text(text) = value { Some(text.to_owned()) } else { None }
    }
}

impl FromRow for Vec<u8> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if let Value::Blob(bytes) = value { Some(bytes.to_owned()) } else { None }
    }
}

impl<T: FromRow> FromRow for Option<T> {
    fn from_value(value: Value<'_>) -> Option<Self> {
        if value == Value::Null { Some(None) } else { T::from_value(value).map(Some) }
    }
}
