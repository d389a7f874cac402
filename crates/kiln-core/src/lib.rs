//! The words every room of Kiln speaks: values, configuration, components, events, runs.
