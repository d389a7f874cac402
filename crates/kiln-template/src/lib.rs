//! Template text to Template to Plan.
