//! Whether content is a file itself, which belongs among the attachments that a member takes or does not.

/// Kinds of media that are files whatever is in them.
const MEDIA: [&str; 3] = ["image/", "video/", "audio/"];
/// Types that hold other files.
const ARCHIVES: [&str; 13] = [
    "application/zip",
    "application/x-zip-compressed",
    "application/x-7z-compressed",
    "application/vnd.rar",
    "application/x-rar-compressed",
    "application/x-tar",
    "application/gzip",
    "application/x-gzip",
    "application/x-bzip2",
    "application/x-xz",
    "application/zstd",
    "application/x-iso9660-image",
    "application/mp4",
];
/// How such files begin, and at which byte: a type is only what its sender calls it.
const BEGINNINGS: [(usize, &[u8]); 23] = [
    (0, b"\xff\xd8\xff"),
    (0, b"\x89PNG\r\n\x1a\n"),
    (0, b"GIF87a"),
    (0, b"GIF89a"),
    (0, b"II*\0"),
    (0, b"MM\0*"),
    (0, b"RIFF"),
    (4, b"ftyp"),
    (0, b"\x1a\x45\xdf\xa3"),
    (0, b"\0\0\x01\xba"),
    (0, b"OggS\0"),
    (0, b"fLaC\0"),
    (0, b"ID3\x02"),
    (0, b"ID3\x03"),
    (0, b"ID3\x04"),
    (0, b"PK\x03\x04"),
    (0, b"7z\xbc\xaf\x27\x1c"),
    (0, b"Rar!\x1a\x07"),
    (0, b"\x1f\x8b\x08"),
    (0, b"\xfd7zXZ\0"),
    (0, b"\x28\xb5\x2f\xfd"),
    (4, b"1AY&SY"),
    (257, b"ustar"),
];

/// Whether content is imagery, sound or an archive, by its type or by how it begins. Spec: ATT-29.
pub(super) fn is_file(content_type: &str, content: &[u8]) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default();
    let essence = essence.trim().to_ascii_lowercase();
    let begins = |(at, bytes): &(usize, &[u8])| {
        let rest = content.get(*at..);
        rest.is_some_and(|rest| rest.starts_with(bytes))
    };
    MEDIA.iter().any(|media| essence.starts_with(media))
        || ARCHIVES.contains(&essence.as_str())
        || BEGINNINGS.iter().any(begins)
}

#[cfg(test)]
mod tests {
    use super::*;

    // ATT-29: by its type, and by how it begins where the type says otherwise.
    #[test]
    fn a_file_is_one_whatever_it_is_called() {
        for content_type in ["image/jpeg", "Video/MP4; codecs=x", "application/zip"] {
            assert!(is_file(content_type, b""), "{content_type}");
        }
        let beginnings = [
            &b"PK\x03\x04"[..],
            b"7z\xbc\xaf\x27\x1c",
            b"\x1f\x8b\x08",
            b"BZh91AY&SY",
            b"\xfd7zXZ\0",
            b"ID3\x04",
            b"OggS\0",
            b"MM\0*",
            b"RIFF\x24\0\0\0WEBPVP8 ",
        ];
        for content in beginnings {
            assert!(is_file("application/xml", content), "{content:?}");
        }
        for (content_type, content) in [
            ("text/plain", &b"words"[..]),
            ("text/plain", b"send an AVI or an ID3"),
            ("application/vnd.frex.report.v1+json", b"{}"),
            ("application/vnd.frex.report.v2+protobuf", b"\xca\x02\x01a"),
            ("application/octet-stream", b"\x07"),
        ] {
            assert!(!is_file(content_type, content), "{content_type}");
        }
    }
}
