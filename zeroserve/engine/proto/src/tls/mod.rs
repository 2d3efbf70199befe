//! What is read of TLS without being a TLS library: the first flight of a client, for SNI, JA4 and
//! the decision whether Encrypted Client Hello is relayed; and the frame of PEM files. Bytes in, facts out.

pub mod client_hello;
pub mod ech_config;
pub mod flight;
pub mod ja4;
pub mod pem;
