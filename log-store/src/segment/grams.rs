//! What is in a block, by its grams.
