//! An answer: a head, and where its body comes from. Every answer becomes this, and leaves the same
//! way. No I/O: members are named, not read.

mod body_cache;
mod plan;
mod scripted;
mod static_file;
mod text;

pub(crate) use body_cache::{BODY_BYTES_MAX as CACHED_BODY_BYTES_MAX, BodyCache};
pub(crate) use plan::{Body, ConnectionField, Opening, Reply};
pub(crate) use scripted::{
    apply_fields, apply_head, apply_new_fields, failed, field_lines, scripted, templated,
};
pub(crate) use static_file::{not_found, page, static_file};
pub(crate) use text::{method_not_allowed, options, probe, redirect, refusal};
