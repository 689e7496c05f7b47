use prost_reflect::Value;

use super::*;
use crate::casework::v1;

fn read_report(xml: &str) -> DynamicMessage {
    read(Form::Report, xml.as_bytes()).unwrap()
}

fn typed(message: &DynamicMessage) -> v1::Report {
    message.transcode_to().unwrap()
}

/// The message as it travels.
fn travelled(message: &impl Message) -> DynamicMessage {
    let bytes = message.encode_to_vec();
    DynamicMessage::decode(schema::message("Report"), bytes.as_slice()).unwrap()
}

fn same(xml: &str) {
    let source = Document::parse(xml.as_bytes()).unwrap();
    let written = write(Form::Report, &travelled(&read_report(xml)));
    assert_eq!(written.document.canonical(), source.canonical());
    assert_eq!(written.stale, 0);
}

const PLAIN: &str = "<report>\n  <incidentSummary>\n    <incidentType>Child Sex Trafficking</incidentType>\n    <incidentDateTime>2026-07-01T12:00:00+02:00</incidentDateTime>\n  </incidentSummary>\n  <reporter>\n    <reportingPerson>\n      <email type=\"Work\">desk@platform.example</email>\n    </reportingPerson>\n  </reporter>\n</report>";

// MOD-4: a document as this program writes it needs no residue but its indent.
#[test]
fn a_plain_document_leaves_nothing_beside() {
    same(PLAIN);
    let report = typed(&read_report(PLAIN));
    let left = report.residue.unwrap();
    assert_eq!(left.indent.as_deref(), Some("  "));
    assert!(left.places.is_empty() && left.before.is_empty());
    let incident = report.incident.unwrap();
    assert_eq!(incident.r#type(), v1::IncidentType::Trafficking);
    let compact = PLAIN.replace("\n", "").replace("  ", "");
    assert_eq!(typed(&read_report(&compact)).residue, None);
    same(&compact);
}

// MOD-4, MOD-5: what two writings of one value differ in is kept.
#[test]
fn lexical_forms_are_kept_beside_their_meaning() {
    for flag in [
        "<sextortion/>",
        "<sextortion>true</sextortion>",
        "<sextortion> 1 </sextortion>",
    ] {
        let xml = format!(
            "<report><incidentSummary><reportAnnotations>{flag}</reportAnnotations></incidentSummary></report>"
        );
        same(&xml);
        let incident = typed(&read_report(&xml)).incident.unwrap();
        assert_eq!(incident.annotations.unwrap().sextortion, Some(true));
    }
    let xml = "<report><victim><victimPerson><age>+007</age></victimPerson><compromisedAccount>0</compromisedAccount><priorCTReports>0042</priorCTReports></victim></report>";
    same(xml);
    let victim = &typed(&read_report(xml)).victims[0];
    assert_eq!(victim.person.as_ref().unwrap().age, Some(7));
    assert_eq!(victim.compromised_account, Some(false));
    assert_eq!(victim.prior_reports, [42]);
    let absent = "<report><victim><victimPerson/></victim></report>";
    assert_eq!(
        typed(&read_report(absent)).victims[0].compromised_account,
        None
    );
    same(absent);
}

// MOD-5: order, unknown elements and attributes, comments, text in between.
#[test]
fn order_and_what_is_not_known_are_kept() {
    same(
        "<?style x?><!-- a --><report xmlns:x=\"urn:x\" x:y=\"1\" unknown='2'><additionalInfo>b</additionalInfo> text <x:new at='3'>c<d/></x:new><victim><screenName>e<!--f--></screenName><victimPerson/></victim><additionalInfo>second</additionalInfo><personOrUserReported/></report><!--g-->",
    );
    let xml = "<report><internetDetails><chatImIncident/><webPageIncident/></internetDetails><incidentSummary><incidentType>Something new</incidentType></incidentSummary></report>";
    same(xml);
    assert_eq!(
        typed(&read_report(xml)).incident,
        Some(v1::Incident::default())
    );
}

// MOD-19: countries that are no countries, and the empty one.
#[test]
fn countries_of_the_form_are_kept_as_they_are() {
    for country in ["A1", "A2", "O1", "AP", "EU", "XK", "AN", "FX", ""] {
        same(&format!(
            "<report><victim><victimPerson><address><country>{country}</country></address></victimPerson></victim></report>"
        ));
    }
}

// MOD-5: a changed field is written as it is by now, and nothing that is not known gets lost.
#[test]
fn after_a_change_the_residue_goes_where_it_fits() {
    let xml = "<report><new/><victim><victimPerson><age>007</age></victimPerson></victim></report>";
    let mut report = typed(&read_report(xml));
    report.victims[0].person.as_mut().unwrap().age = Some(8);
    report.additional_info = Some("more".to_owned());
    let written = write(Form::Report, &travelled(&report));
    assert!(written.stale > 0);
    let text = written.document.to_xml();
    assert!(
        text.contains("<age>8</age>") && text.contains("<new/>") && text.contains("more"),
        "{text}"
    );
}

// MOD-8: what the form has no place for is named.
#[test]
fn what_the_form_cannot_say_is_named() {
    let channel = |kind| v1::Channel { kind: Some(kind) };
    let report = v1::Report {
        reference: Some("A-1".to_owned()),
        channels: vec![
            channel(v1::channel::Kind::Onion(v1::Onion::default())),
            channel(v1::channel::Kind::Chat(v1::Chat::default())),
        ],
        additional_info: Some("bell \u{7}".to_owned()),
        ..v1::Report::default()
    };
    let written = write(Form::Report, &travelled(&report));
    assert_eq!(
        written.left_out,
        ["channels[0].onion", "additional_info", "reference"]
    );
    assert_eq!(
        written.document.canonical(),
        "<report><internetDetails><chatImIncident></chatImIncident></internetDetails></report>"
    );
}

// MOD-7: the details of a file, whose hashes are named as the registry does.
#[test]
fn details_of_a_file_become_an_item() {
    let xml = "<fileDetails><reportId>7</reportId><fileId>ab</fileId><originalFileHash hashType=\"SHA1\">DA39A3EE5E6B4B0D3255BFEF95601890AFD80709</originalFileHash><originalFileHash hashType=\"Other\">x y</originalFileHash><details type=\"EXIF\"><nameValuePair><name>Make</name><value>Example</value></nameValuePair></details></fileDetails>";
    let item = read(Form::FileDetails, xml.as_bytes()).unwrap();
    let source = Document::parse(xml.as_bytes()).unwrap();
    let written = write(Form::FileDetails, &item);
    assert_eq!(written.document.canonical(), source.canonical());
    let item: v1::Item = item.transcode_to().unwrap();
    assert_eq!(item.hashes[0].algorithm(), "sha1");
    assert_eq!(
        item.hashes[0].value(),
        "da39a3ee5e6b4b0d3255bfef95601890afd80709"
    );
    assert_eq!(item.hashes[1].algorithm(), "Other");
    assert_eq!(item.source.unwrap().bytes, Some(xml.len() as u64));
}

// MOD-1: the roots are those that the schema says.
#[test]
fn roots_are_those_of_the_schema() {
    for form in [Form::Report, Form::FileDetails] {
        let shape = schema::shape(&schema::message(form.message()));
        assert_eq!(shape.root.as_deref(), Some(form.root()));
    }
}

// MOD-6: what is no such document is refused.
#[test]
fn other_documents_are_refused() {
    let other = read(Form::Report, b"<fileDetails/>").unwrap_err();
    assert_eq!(other, ImportError::OtherRoot("report"));
    assert!(read(Form::Report, b"<report>").is_err());
}

// MOD-5: a residue of a stranger's making neither panics nor gets lost silently.
#[test]
fn a_residue_of_anybodys_making_is_taken_as_far_as_it_fits() {
    let piece = |piece| v1::Piece { piece: Some(piece) };
    let report = v1::Report {
        victims: vec![v1::Party::default(); 2],
        residue: Some(v1::Residue {
            indent: Some("\u{2003}".to_owned()),
            before: vec!["<a/>".to_owned(), "<!--b-->".to_owned(), "<".to_owned()],
            places: vec![
                v1::Place {
                    children: Some(2),
                    pieces: vec![
                        piece(v1::piece::Piece::Child(9)),
                        piece(v1::piece::Piece::Child(1)),
                        piece(v1::piece::Piece::Child(1)),
                        piece(v1::piece::Piece::Xml("</report>".to_owned())),
                    ],
                    ..v1::Place::default()
                },
                v1::Place {
                    path: Some("victim[7]".to_owned()),
                    text: Some("x".to_owned()),
                    ..v1::Place::default()
                },
            ],
            ..v1::Residue::default()
        }),
        ..v1::Report::default()
    };
    let message = travelled(&report);
    let written = write(Form::Report, &message);
    assert_eq!(written.document.root.elements().count(), 2);
    assert_eq!(written.stale, 3);
    assert!(matches!(
        message.get_field_by_name("victims").as_deref(),
        Some(Value::List(_))
    ));
}
