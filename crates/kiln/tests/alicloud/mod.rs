//! Builder `alicloud-ecs` against an embedded cloud: one in this process that tests can look into, reached by the
//! program as it would reach the real one, over HTTP and SSH; or the program's own, with `-local`.

mod bad_input;
mod campaign;
mod connect;
mod crashes;
mod faults;
mod fixture;
mod image_inputs;
mod images;
mod launch;
mod local;
mod retry;
mod seeds;
mod sharing;
