//! Log lines kept in files, and found again by any piece of their text.
