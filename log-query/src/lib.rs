//! A search language for log lines, as people type it.
#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;
