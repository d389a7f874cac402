//! Communicators: SSH and none; the connect loop and file transfer.
