//! The one provider of cryptography for TLS, installed when something first needs TLS: commands that only read a
//! template must start in milliseconds.

/// Makes TLS usable. Cheap when it already is.
pub fn provide() {
    // The error says that one is installed already, which is all that is wanted.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
