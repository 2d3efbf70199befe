//! What the connection is that the request came by.

use std::net::IpAddr;

use serde_json::json;
use zs_script::{Answer, Arguments, HelperResult, Kind};

use super::request::text;
use crate::address::Block;
use crate::context::Context;
use crate::table::{RH, Row, row};

pub(super) const ROWS: &[Row] = &[
    row("zs_req_scheme", RH, 10, &[Kind::Out], scheme),
    row("zs_req_peer", RH, 40, &[Kind::Out], peer),
    row("zs_req_peer_ip", RH, 40, &[Kind::Out], peer_ip),
    row(
        "zs_req_remote_ip_matches",
        RH,
        200,
        &[Kind::Text],
        remote_ip_matches,
    ),
    row("zs_req_proto_major", RH, 10, &[], proto_major),
    row("zs_req_proto_minor", RH, 10, &[], proto_minor),
    row("zs_req_is_tls", RH, 10, &[], is_tls),
    // No request is read before the handshake is done.
    row("zs_req_tls_handshake_complete", RH, 10, &[], is_tls),
    row("zs_connection_info", RH, 200, &[], connection_info),
];

fn scheme(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let scheme = if context.request.connection.tls {
        "https"
    } else {
        "http"
    };
    text(arguments.out(0), scheme.as_bytes())
}

fn peer(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let peer = context.request.connection.peer.to_string();
    text(arguments.out(0), peer.as_bytes())
}

/// A socket for both families has IPv4 peers as IPv6 addresses.
fn address(context: &Context) -> IpAddr {
    context.request.connection.peer.ip().to_canonical()
}

fn peer_ip(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    text(arguments.out(0), address(context).to_string().as_bytes())
}

fn remote_ip_matches(context: &mut Context, arguments: &mut Arguments<'_>) -> HelperResult {
    let list = arguments.text(0);
    arguments.charge(u32::try_from(list.len()).unwrap_or(u32::MAX));
    let list: Vec<String> = serde_json::from_str(list)
        .map_err(|error| format!("not a JSON array of addresses: {error}"))?;
    let address = address(context);
    let mut found = false;
    for each in &list {
        let block =
            Block::parse(each).ok_or_else(|| format!("`{each}` is no address and no block"))?;
        found |= block.contains(address);
    }
    Ok(Answer::Value(i64::from(found)))
}

fn proto_major(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    Ok(Answer::Value(context.request.version.0.into()))
}

fn proto_minor(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    Ok(Answer::Value(context.request.version.1.into()))
}

fn is_tls(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    Ok(Answer::Value(context.request.connection.tls.into()))
}

fn connection_info(context: &mut Context, _: &mut Arguments<'_>) -> HelperResult {
    let connection = &context.request.connection;
    let info = json!({
        "tls": connection.tls,
        "tls_handshake_complete": connection.tls,
        "alpn": connection.alpn,
        "sni": {"inner": connection.sni_inner, "outer": connection.sni_outer},
        "ech": connection.ech_accepted.map(|accepted| json!({"accepted": accepted})),
        "fingerprint": {"ja4": connection.ja4, "ja4_inner": connection.ja4_inner},
        // Nobody asks for client certificates yet.
        "tls_client": {"certificate": null, "chain_fingerprints_sha256": []},
    });
    let documents = &mut context.frame.documents;
    Ok(Answer::Value(
        documents.insert(&info, &mut context.footprint)?,
    ))
}
