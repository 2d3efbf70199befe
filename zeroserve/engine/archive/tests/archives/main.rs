//! Archives and member indexes made byte by byte, read back or refused.

mod members;
mod tar;
mod write;
