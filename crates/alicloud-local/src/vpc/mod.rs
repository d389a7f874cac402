//! Networks and elastic addresses: the actions of Vpc 2016-04-28, also served under Ecs 2014-05-26.

pub mod addresses;
pub mod eips;
pub mod networks;
pub mod tags;
