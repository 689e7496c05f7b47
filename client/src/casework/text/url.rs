//! Web addresses: one text for all that lead to the same place by the letter of RFC 3986. Spec: DCF-2.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{LocationError, composed, domain, onion_below};

const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// A web address as it is compared: host, port unless it is the usual one, path without detours, and
/// query. The scheme is left out, for a page is the same with and without encryption, and so is the
/// fragment, which no server sees.
///
/// # Errors
/// [`LocationError`] says what is wrong.
pub fn location(url: &str) -> Result<String, LocationError> {
    let (scheme, rest) = url.split_once("://").ok_or(LocationError::Form)?;
    let usual_port = match scheme.to_ascii_lowercase().as_str() {
        "http" => "80",
        "https" => "443",
        _ => return Err(LocationError::Form),
    };
    if url.contains('\\') {
        return Err(LocationError::Form);
    }
    let rest = rest.split('#').next().unwrap_or_default();
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    let (path, query) = match rest.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (rest, None),
    };
    let (host, port) = split(authority)?;
    let host = host_text(host)?;
    let mut text = match port.trim_start_matches('0') {
        _ if port.is_empty() => host,
        port if port == usual_port => host,
        port => match port.parse::<u16>() {
            Ok(port) if port > 0 => format!("{host}:{port}"),
            _ => return Err(LocationError::Form),
        },
    };
    text.push_str(&without_detours(&escaped(path)?));
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        text.push('?');
        text.push_str(&escaped(query)?);
    }
    Ok(text)
}

/// Host and port.
fn split(authority: &str) -> Result<(&str, &str), LocationError> {
    if authority.contains('@') {
        return Err(LocationError::Form);
    }
    let (host, port) = match authority.rfind(']') {
        Some(end) => match authority[end + 1..].strip_prefix(':') {
            Some(port) => (&authority[..=end], port),
            None => (authority, ""),
        },
        None => authority.split_once(':').unwrap_or((authority, "")),
    };
    match port.bytes().all(|byte| byte.is_ascii_digit()) {
        true => Ok((host, port)),
        false => Err(LocationError::Form),
    }
}

fn host_text(host: &str) -> Result<String, LocationError> {
    if let Some(inside) = host.strip_prefix('[') {
        let inside = inside.strip_suffix(']').ok_or(LocationError::Form)?;
        let address: Ipv6Addr = inside.parse().map_err(|_| LocationError::Form)?;
        return Ok(format!("[{address}]"));
    }
    if let Ok(address) = host.parse::<Ipv4Addr>() {
        return Ok(address.to_string());
    }
    let host = domain(host).ok_or(LocationError::Domain)?;
    if host.ends_with(".onion") {
        onion_below(&host)?;
    }
    Ok(host)
}

/// Letters that mean themselves as they are, all others as `%` and two digits.
fn escaped(text: &str) -> Result<String, LocationError> {
    let text = composed(text);
    let bytes = text.as_bytes();
    let mut out = String::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        at += 1;
        let (byte, was_escaped) = if byte == b'%' {
            let digits = text.get(at..at + 2).ok_or(LocationError::Form)?;
            at += 2;
            let number = hex::decode(digits).map_err(|_| LocationError::Form)?;
            (number[0], true)
        } else {
            (byte, false)
        };
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        // What has a meaning of its own keeps it: as it stands, or escaped.
        let kept = b"!$&'()*+,;=:@/?".contains(&byte) && !was_escaped;
        if plain || kept {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(DIGITS[usize::from(byte >> 4)]));
            out.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
    }
    Ok(out)
}

/// A path without `.` and `..`, as RFC 3986 takes them out (5.2.4).
fn without_detours(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            _ => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}
