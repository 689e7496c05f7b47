use super::*;

fn canonical(xml: &str) -> String {
    Document::parse(xml.as_bytes()).unwrap().canonical()
}

fn refused(xml: &[u8]) -> XmlError {
    Document::parse(xml).unwrap_err()
}

// MOD-4: the examples of Canonical XML 1.0, sections 3.1 to 3.4, without document types.
#[test]
fn canonical_form_is_that_of_the_recommendation() {
    assert_eq!(
        canonical(
            "<?xml version=\"1.0\"?>\n\n<?xml-stylesheet   href=\"doc.xsl\"\n   type=\"text/xsl\"   ?>\n\n<doc>Hello, world!<!-- Comment 1 --></doc>\n\n<?pi-without-data     ?>\n\n<!-- Comment 2 -->\n"
        ),
        "<?xml-stylesheet href=\"doc.xsl\"\n   type=\"text/xsl\"   ?>\n<doc>Hello, world!<!-- Comment 1 --></doc>\n<?pi-without-data?>\n<!-- Comment 2 -->"
    );
    assert_eq!(
        canonical(
            "<doc>\n   <e1   />\n   <e3   name = \"elem3\"   id=\"elem3\"   />\n   <e5 a:attr=\"out\" b:attr=\"sorted\" attr2=\"all\" attr=\"I'm\"\n      xmlns:b=\"http://www.ietf.org\"\n      xmlns:a=\"http://www.w3.org\"\n      xmlns=\"http://example.org\"/>\n   <e6 xmlns=\"\" xmlns:a=\"http://www.w3.org\">\n      <e7 xmlns=\"http://www.ietf.org\">\n         <e8 xmlns=\"\" xmlns:a=\"http://www.w3.org\"/>\n      </e7>\n   </e6>\n</doc>"
        ),
        "<doc>\n   <e1></e1>\n   <e3 id=\"elem3\" name=\"elem3\"></e3>\n   <e5 xmlns=\"http://example.org\" xmlns:a=\"http://www.w3.org\" xmlns:b=\"http://www.ietf.org\" attr=\"I'm\" attr2=\"all\" b:attr=\"sorted\" a:attr=\"out\"></e5>\n   <e6 xmlns:a=\"http://www.w3.org\">\n      <e7 xmlns=\"http://www.ietf.org\">\n         <e8 xmlns=\"\"></e8>\n      </e7>\n   </e6>\n</doc>"
    );
    assert_eq!(
        canonical(
            "<doc>\n   <text>First line&#x0d;&#10;Second line</text>\n   <value>&#x32;</value>\n   <compute><![CDATA[value>\"0\" && value<\"10\" ?\"valid\":\"error\"]]></compute>\n   <norm attr=' &apos;   &#x20;&#13;&#xa;&#9;   &apos; '/>\n</doc>"
        ),
        "<doc>\n   <text>First line&#xD;\nSecond line</text>\n   <value>2</value>\n   <compute>value&gt;\"0\" &amp;&amp; value&lt;\"10\" ?\"valid\":\"error\"</compute>\n   <norm attr=\" '    &#xD;&#xA;&#x9;   ' \"></norm>\n</doc>"
    );
}

// MOD-6: what is written is read as the same.
#[test]
fn what_is_written_is_read_again() {
    let xml = "<!--a--><r a=\"1&#10;2&lt;&quot;\" xmlns:p='urn:x'><p:e>\r\n &amp;&#13;<![CDATA[<x>]]></p:e><?pi data?></r><?after x?>";
    let document = Document::parse(xml.as_bytes()).unwrap();
    let again = Document::parse(document.to_xml().as_bytes()).unwrap();
    assert!(document == again);
    for child in &document.root.children {
        assert!(Node::parse(&child.to_xml()).unwrap() == [child.clone()]);
    }
}

// MOD-6: no document types, no entities, nothing that is not well-formed.
#[test]
fn what_is_dangerous_or_not_well_formed_is_refused() {
    let doctype = b"<!DOCTYPE r [<!ENTITY a \"b\">]><r>&a;</r>";
    assert_eq!(refused(doctype), XmlError::DocumentType);
    assert_eq!(refused(b"<r>&a;</r>"), XmlError::Entity);
    assert_eq!(refused(b"<r a='&a;'/>"), XmlError::Entity);
    for xml in [
        "",
        "text",
        "<r>",
        "</r>",
        "<r/><r/>",
        "<r></s>",
        "<r/>text",
        "<r a=1/>",
        "<r a='1' a='2'/>",
        "<r a='<'/>",
        "<1/>",
        "<a:b:c/>",
        "<r>&#0;</r>",
        "<r>&#x1F;</r>",
        "<r>\u{1}</r>",
        "<r>\u{fffe}</r>",
        "<r>&</r>",
        "<r><!-- -- --></r>",
        "<r><?xml x?></r>",
        "<?xml version='1.1'?><r/>",
        "&#65;<r/>",
        "<r><![CDATA[x]]",
        "<![CDATA[x]]><r/>",
        " <?xml version='1.0'?><r/>",
    ] {
        let error = refused(xml.as_bytes());
        assert!(matches!(error, XmlError::Malformed(_)), "{xml}: {error:?}");
    }
    assert!(Node::parse("a</content><content>b").is_err());
    assert!(Node::parse("a</content><!--b--><content>").is_err());
}

// LIM-111 to LIM-114: everything has a bound.
#[test]
fn what_is_too_large_is_refused() {
    let deep = |depth: usize| "<r>".repeat(depth) + &"</r>".repeat(depth);
    assert!(Document::parse(deep(DEPTH_MAX).as_bytes()).is_ok());
    assert_eq!(refused(deep(DEPTH_MAX + 1).as_bytes()), XmlError::TooDeep);
    assert_eq!(refused(deep(100_000).as_bytes()), XmlError::TooDeep);
    let many = format!("<r>{}</r>", "<a/>".repeat(NODES_MAX));
    assert_eq!(refused(many.as_bytes()), XmlError::TooMany);
    let attributes: String = (0..=ATTRIBUTES_MAX).map(|n| format!(" a{n}=''")).collect();
    assert_eq!(
        refused(format!("<r{attributes}/>").as_bytes()),
        XmlError::TooMany
    );
    let long = vec![b' '; DOCUMENT_BYTES_MAX + 1];
    assert_eq!(refused(&long), XmlError::TooLong);
}

// MOD-6: the encodings that are read are those that are named.
#[test]
fn encodings_are_read_by_mark_or_name() {
    let latin = b"<?xml version='1.0' encoding='ISO-8859-1'?><r>caf\xe9</r>";
    assert_eq!(Document::parse(latin).unwrap().root.text(), "café");
    let utf16: Vec<u8> = "\u{feff}<r>é</r>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(Document::parse(&utf16).unwrap().root.text(), "é");
    assert_eq!(
        Document::parse("\u{feff}<r>é</r>".as_bytes())
            .unwrap()
            .root
            .text(),
        "é"
    );
    for wrong in [
        &b"<r>\xff</r>"[..],
        b"<?xml version='1.0' encoding='KOI8-R'?><r/>",
        b"<?xml version='1.0' encoding='US-ASCII'?><r>\xc3\xa9</r>",
        b"\xff\xfe<",
    ] {
        assert_eq!(refused(wrong), XmlError::Encoding);
    }
}
