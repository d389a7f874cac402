//! The stock components that belong to no cloud.
