//! A signed Alibaba Cloud client: credentials, endpoints, signatures, retries; typed Ecs, Vpc, Sts and Ram calls.
