//! What is more than one file of the examples.

pub mod hyper_service;
