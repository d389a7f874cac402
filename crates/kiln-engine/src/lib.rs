//! Runs a Plan: scheduling, durable runs, provisioning, post-processing, gc.
