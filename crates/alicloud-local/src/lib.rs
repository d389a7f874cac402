//! An embedded Alibaba Cloud: signed APIs over HTTP and sandboxed instances behind a real SSH server.
