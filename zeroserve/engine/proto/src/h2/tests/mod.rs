//! A scripted client against the state machine: rules of RFC 9113 case by case, floods, properties.

mod client;
mod floods;
mod lifecycle;
mod properties;
mod requests;
mod rules;
mod sending;
