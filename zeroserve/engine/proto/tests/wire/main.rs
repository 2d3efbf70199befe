//! What goes over the wire, case by case and against simple models written apart from the code.

mod accept_encoding;
mod body;
mod chunk;
mod conditional;
mod connection;
mod date;
mod encode;
mod feed;
mod heads;
mod path;
mod range;
