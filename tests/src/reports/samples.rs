//! Reports such as people and programs write, in many languages and seven kinds of case.

use frex_client::casework::{model::Report, text, v1};

use super::{
    Dice,
    words::{WORDS, Words},
};

/// The seed of the reports under `tests/fixtures/reports`.
pub const SEED: u64 = 0x00f1_c71c;

/// The kinds of case.
const KINDS: [&str; 7] = [
    "hash-match",
    "sextortion",
    "grooming",
    "web-page",
    "viral",
    "onion",
    "stream",
];

/// How many of a hundred reports of a day are of the first kind.
const KNOWN_PERCENT: usize = 80;

/// A made-up report.
pub struct Sample {
    /// Number, language and kind: `003-en-grooming`.
    pub name: String,
    /// The report.
    pub report: Report,
    /// Whether a platform would have filed it as a CyberTipline document.
    pub is_tip: bool,
}

/// What several kinds of case say alike.
struct Case<'a> {
    dice: &'a mut Dice,
    words: &'a Words,
    kind: usize,
    day: usize,
}

/// One report of each kind in each language.
#[must_use]
pub fn samples(seed: u64) -> Vec<Sample> {
    let mut dice = Dice::of(seed);
    let mut samples = Vec::new();
    for words in &WORDS {
        for kind in 0..KINDS.len() {
            let number = samples.len() + 1;
            samples.push(sample(&mut dice, words, kind, number));
        }
    }
    samples
}

/// Reports without end, as a platform files them day by day: most of them of files whose hash is known.
pub struct Stream {
    dice: Dice,
    number: usize,
}

impl Stream {
    /// Those of this seed, from the first on.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let (dice, number) = (Dice::of(seed), 0);
        Self { dice, number }
    }
}

impl Iterator for Stream {
    type Item = v1::Report;

    fn next(&mut self) -> Option<v1::Report> {
        self.number += 1;
        let words = &WORDS[self.dice.below(WORDS.len())];
        let kind = match self.dice.chance(KNOWN_PERCENT) {
            true => 0,
            false => 1 + self.dice.below(KINDS.len() - 1),
        };
        Some(made(&mut self.dice, words, kind, self.number))
    }
}

fn sample(dice: &mut Dice, words: &Words, kind: usize, number: usize) -> Sample {
    Sample {
        name: format!("{number:03}-{}-{}", words.language, KINDS[kind]),
        report: Report::of(&made(dice, words, kind, number)),
        is_tip: ["hash-match", "grooming", "viral"].contains(&KINDS[kind]),
    }
}

fn made(dice: &mut Dice, words: &Words, kind: usize, number: usize) -> v1::Report {
    let day = 1 + dice.below(28);
    let mut case = Case {
        dice,
        words,
        kind,
        day,
    };
    let mut report = case.common(number);
    match KINDS[kind] {
        "hash-match" => case.hash_match(&mut report),
        "sextortion" => case.sextortion(&mut report),
        "grooming" => case.grooming(&mut report),
        "web-page" => case.web_page(&mut report),
        "viral" => case.viral(&mut report),
        "onion" => case.onion(&mut report),
        _ => case.stream(&mut report),
    }
    report
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

impl Case<'_> {
    fn at(&mut self) -> String {
        let (hour, minute, second) = (
            self.dice.below(24),
            self.dice.below(60),
            self.dice.below(60),
        );
        let offset = self.dice.pick(&["Z", "+02:00", "-03:00", "+09:00"]);
        format!(
            "2026-07-{:02}T{hour:02}:{minute:02}:{second:02}{offset}",
            self.day
        )
    }

    fn common(&mut self, number: usize) -> v1::Report {
        let text = self.words.texts[self.kind];
        v1::Report {
            reference: Some(format!("2026-{number:06}")),
            created: Some(format!("2026-07-{:02}T23:59:59Z", self.day)),
            language: some(self.words.language),
            description: some(text),
            jurisdictions: vec![v1::Jurisdiction {
                country: some(self.words.country),
                basis: some(
                    self.dice
                        .pick(&["ip", "phone", "language", "self-declared"]),
                ),
                confidence: Some(*self.dice.pick(&[&0.5, &0.75, &0.9])),
                ..v1::Jurisdiction::default()
            }],
            handling: Some(v1::Handling {
                code: Some(v1::HandlingCode::H0.into()),
                purposes: vec![
                    "investigation".to_owned(),
                    "victim-identification".to_owned(),
                ],
                legal_bases: vec![v1::LegalBasis {
                    law: some("Example Act on the Protection of Children"),
                    article: some("4"),
                    jurisdiction: some(self.words.country),
                    file_number: None,
                }],
                ..v1::Handling::default()
            }),
            ..v1::Report::default()
        }
    }

    fn incident(&mut self, kind: v1::IncidentType) -> Option<v1::Incident> {
        Some(v1::Incident {
            r#type: Some(kind.into()),
            platform: some("Example Chat"),
            at: Some(self.at()),
            ..v1::Incident::default()
        })
    }

    fn reporter(&mut self) -> Option<v1::Reporter> {
        let email = v1::Email {
            value: some("safety@platform.example"),
            ..v1::Email::default()
        };
        Some(v1::Reporter {
            person: Some(v1::Person {
                emails: vec![email],
                ..v1::Person::default()
            }),
            legal_url: some("https://platform.example/legal"),
            ..v1::Reporter::default()
        })
    }

    fn ip_event(&mut self, event: v1::CaptureEvent) -> v1::IpEvent {
        let address = match self.dice.chance(70) {
            true => format!("203.0.113.{}", self.dice.below(256)),
            false => format!("2001:db8::{:x}", self.dice.below(65_536)),
        };
        v1::IpEvent {
            ip_address: Some(address),
            event: Some(event.into()),
            at: Some(self.at()),
            possible_proxy: self.dice.chance(20).then_some(true),
            port: self
                .dice
                .chance(70)
                .then(|| 1024 + i32::try_from(self.dice.below(60_000)).unwrap_or(0)),
        }
    }

    fn account(&mut self) -> v1::Party {
        let number = self.dice.below(1_000_000);
        v1::Party {
            esp_identifier: Some(format!("77{number:06}")),
            esp_service: some("Example Chat"),
            screen_name: Some(format!("user_{number:06}")),
            profile_urls: vec![format!("https://platform.example/u/{number:06}")],
            ip_events: vec![
                self.ip_event(v1::CaptureEvent::Registration),
                self.ip_event(v1::CaptureEvent::Login),
            ],
            ..v1::Party::default()
        }
    }

    fn hash_match(&mut self, report: &mut v1::Report) {
        report.incident = self.incident(v1::IncidentType::AbuseMaterial);
        report.reporter = self.reporter();
        let mut account = self.account();
        account.person = Some(v1::Person {
            phones: vec![v1::Phone {
                value: Some(format!("0100 {:04}", self.dice.below(10_000))),
                country_calling_code: some("+999"),
                r#type: Some(v1::PhoneType::Mobile.into()),
                verified: Some(true),
                ..v1::Phone::default()
            }],
            ..v1::Person::default()
        });
        account.permanently_disabled = Some(v1::Disabled {
            value: Some(true),
            disabled_at: Some(self.at()),
            user_notified: Some(false),
            ..v1::Disabled::default()
        });
        report.reported = vec![account];
        let item = self.item();
        report.provenance = Some(v1::Provenance {
            source: Some(v1::Source::Platform.into()),
            detections: vec![v1::Detection {
                method: some("hash-match"),
                tool: some("Example Matcher"),
                version: some("2.1"),
                list: some("Example list"),
                at: Some(self.at()),
                items: vec!["item-1".to_owned()],
                ..v1::Detection::default()
            }],
            verification: Some(v1::Verification::Hash.into()),
            ..v1::Provenance::default()
        });
        report.items = vec![item];
    }

    fn item(&mut self) -> v1::Item {
        let hash = |algorithm: &str, value: String| v1::Hash {
            algorithm: some(algorithm),
            value: Some(value),
            ..v1::Hash::default()
        };
        let pdq = v1::Hash {
            quality: Some(50 + i32::try_from(self.dice.below(51)).unwrap_or(0)),
            of: Some(v1::HashOf::Original.into()),
            ..hash("pdq", self.dice.hex(64))
        };
        v1::Item {
            tip_report_id: Some(4_000_000 + i64::try_from(self.dice.below(999_999)).unwrap_or(0)),
            file_id: Some(self.dice.hex(32)),
            original_file_name: Some(format!("file-{:05}", self.dice.below(100_000))),
            uploaded_at: Some(self.at()),
            viewed_by_esp: Some(false),
            publicly_available: Some(self.dice.chance(30)),
            relevance: Some(v1::Relevance::Reported.into()),
            hashes: vec![
                hash("md5", self.dice.hex(32)),
                hash("sha256", self.dice.hex(64)),
                pdq,
            ],
            item_id: some("item-1"),
            ip_event: Some(self.ip_event(v1::CaptureEvent::Upload)),
            ..v1::Item::default()
        }
    }

    fn child(&mut self, age: i32) -> v1::Party {
        v1::Party {
            person: Some(v1::Person {
                first_name: some(self.words.first_name),
                age: Some(age),
                addresses: vec![v1::Address {
                    city: some(self.words.city),
                    country: some(self.words.country),
                    ..v1::Address::default()
                }],
                ..v1::Person::default()
            }),
            ..v1::Party::default()
        }
    }

    fn sextortion(&mut self, report: &mut v1::Report) {
        report.urgency = Some(v1::Urgency {
            level: Some(v1::Level::Ongoing.into()),
            reason: some(self.words.texts[self.kind]),
            until: Some(format!("2026-07-{:02}T22:00:00Z", self.day)),
        });
        report.victims = vec![self.child(13)];
        report.reported = vec![self.account()];
        report.signs = Some(v1::Signs {
            self_generated: Some(v1::SelfGenerated::Coerced.into()),
            sextortion: Some(true),
            extorted_for: Some(v1::ExtortedFor::Money.into()),
            risk_of_self_harm: self.dice.chance(30).then_some(true),
            ..v1::Signs::default()
        });
        report.channels = vec![
            channel(v1::channel::Kind::Social(v1::Social {
                platform: some("Example Social"),
                urls: vec![format!(
                    "https://social.example/p/{}",
                    self.dice.below(100_000)
                )],
                ..v1::Social::default()
            })),
            channel(v1::channel::Kind::Payment(self.payment())),
        ];
        report.provenance = Some(v1::Provenance {
            source: Some(v1::Source::Child.into()),
            received_at: Some(self.at()),
            ..v1::Provenance::default()
        });
        report.field_states = vec![v1::FieldState {
            path: some("victims[0].person.last_name"),
            state: Some(v1::State::Withheld.into()),
            note: some("The child asked not to be named."),
        }];
    }

    fn payment(&mut self) -> v1::Payment {
        let account = |name: String| v1::PaymentAccount {
            method: some("wallet"),
            provider: some("Example Pay"),
            account: Some(name),
            ..v1::PaymentAccount::default()
        };
        v1::Payment {
            payee: Some(account(format!("pay-{:06}", self.dice.below(1_000_000)))),
            amount: Some(format!("{}.00", 10 + self.dice.below(490))),
            currency: some("XXX"),
            at: Some(self.at()),
            ..v1::Payment::default()
        }
    }

    fn grooming(&mut self, report: &mut v1::Report) {
        let text = self.words.texts[self.kind];
        report.incident = self.incident(v1::IncidentType::Grooming);
        if let Some(incident) = &mut report.incident {
            incident.escalation = some(text);
            incident.annotations = Some(v1::IncidentAnnotations {
                sextortion: self.dice.chance(40).then_some(true),
                ..v1::IncidentAnnotations::default()
            });
        }
        report.urgency = Some(v1::Urgency {
            level: Some(v1::Level::Imminent.into()),
            reason: some(text),
            until: None,
        });
        report.channels = vec![channel(v1::channel::Kind::Chat(v1::Chat {
            client: some("Example Chat"),
            room: Some(format!("room {}", self.dice.below(1000))),
            content: some(text),
            ..v1::Chat::default()
        }))];
        report.reporter = self.reporter();
        report.reported = vec![self.account()];
        let mut victim = self.child(11);
        victim.screen_name = Some(format!("kid_{:04}", self.dice.below(10_000)));
        victim.ip_events = vec![self.ip_event(v1::CaptureEvent::Login)];
        report.victims = vec![victim];
        report.provenance = Some(v1::Provenance {
            source: Some(v1::Source::Platform.into()),
            views: vec![v1::View {
                who: some("trust-and-safety 17"),
                organisation: some("Example Chat"),
                scope: Some(v1::ViewScope::Conversation.into()),
                at: Some(self.at()),
                ..v1::View::default()
            }],
            verification: Some(v1::Verification::Person.into()),
            ..v1::Provenance::default()
        });
    }

    fn web_page(&mut self, report: &mut v1::Report) {
        let url = format!(
            "https://board{}.example/t/{}",
            self.dice.below(100),
            self.dice.below(100_000)
        );
        report.channels = vec![channel(v1::channel::Kind::WebPage(v1::WebPage {
            urls: vec![url.clone()],
            ..v1::WebPage::default()
        }))];
        report.hosting = vec![v1::Hosting {
            domain: url.split('/').nth(2).map(str::to_owned),
            url: Some(url),
            ip_address: Some(format!("198.51.100.{}", self.dice.below(256))),
            asn: Some(64_496 + u32::try_from(self.dice.below(16)).unwrap_or(0)),
            provider: some("Example Hosting"),
            country: some(self.words.country),
            site_type: some("forum"),
            traced_at: Some(self.at()),
            online: Some(v1::Online::Up.into()),
            ..v1::Hosting::default()
        }];
        report.classifications = vec![
            v1::Classification {
                scheme: some("iccam"),
                version: some("3"),
                code: some("baseline"),
                ..v1::Classification::default()
            },
            v1::Classification {
                scheme: some("ucs"),
                version: some("3.1"),
                section: some("demographic"),
                code: some("age"),
                value: some("7-10"),
            },
        ];
        report.statements = vec![v1::Statement {
            by: some("reporter"),
            at: Some(self.at()),
            language: some(self.words.language),
            text: some(self.words.texts[self.kind]),
            translation: None,
            kind: Some(v1::StatementKind::Fact.into()),
        }];
        report.provenance = Some(v1::Provenance {
            source: Some(v1::Source::Public.into()),
            ..v1::Provenance::default()
        });
    }

    fn viral(&mut self, report: &mut v1::Report) {
        report.batched = Some(v1::Batched {
            reason: Some(v1::BatchReason::ViralPotentialMeme.into()),
        });
        report.incident = self.incident(v1::IncidentType::AbuseMaterial);
        report.reporter = self.reporter();
        let count = 5 + self.dice.below(20);
        report.reported = (0..count)
            .map(|_| v1::Party {
                esp_identifier: Some(format!("77{:06}", self.dice.below(1_000_000))),
                ..v1::Party::default()
            })
            .collect();
        let item = self.item();
        report.items = vec![v1::Item {
            tip_report_id: item.tip_report_id,
            file_id: item.file_id,
            hashes: item.hashes,
            item_id: item.item_id,
            annotations: Some(v1::ItemAnnotations {
                potential_meme: Some(true),
                viral: Some(true),
                ..v1::ItemAnnotations::default()
            }),
            ..v1::Item::default()
        }];
        report.batch = Some(v1::Batch {
            incident: Some(format!("viral-{:05}", self.dice.below(100_000))),
            accounts: u32::try_from(count).ok(),
            part: Some(1),
            parts: Some(1),
        });
    }

    fn onion(&mut self, report: &mut v1::Report) {
        let key: [u8; 32] = self.dice.bytes();
        report.channels = vec![channel(v1::channel::Kind::Onion(v1::Onion {
            address: Some(text::onion_of(&key)),
            path: Some(format!("/b/{}", self.dice.below(1000))),
            ..v1::Onion::default()
        }))];
        report.provenance = Some(v1::Provenance {
            source: Some(v1::Source::Crawler.into()),
            detections: vec![v1::Detection {
                method: some("classifier"),
                tool: some("Example Crawler"),
                confidence: Some(0.75),
                ..v1::Detection::default()
            }],
            verification: Some(v1::Verification::None.into()),
            ..v1::Provenance::default()
        });
        report.lineage = Some(v1::Lineage {
            origin: some("hotline.example"),
            related: vec![v1::Related {
                reference: Some(format!("2026-{:06}", self.dice.below(1_000_000))),
                relation: Some(v1::Relation::SameContent.into()),
                member: None,
            }],
            ..v1::Lineage::default()
        });
    }

    fn stream(&mut self, report: &mut v1::Report) {
        report.urgency = Some(v1::Urgency {
            level: Some(v1::Level::High.into()),
            reason: some(self.words.texts[self.kind]),
            until: None,
        });
        report.signs = Some(v1::Signs {
            live_streaming: Some(true),
            trafficking: Some(true),
            commercial: Some(true),
            generative_ai: Some(false),
            ..v1::Signs::default()
        });
        report.channels = vec![
            channel(v1::channel::Kind::Stream(v1::Stream {
                platform: some("Example Live"),
                started_at: Some(self.at()),
                paid: Some(true),
                viewers: Some(3),
                ..v1::Stream::default()
            })),
            channel(v1::channel::Kind::Payment(self.payment())),
        ];
        report.reported = vec![self.account()];
        report.external_ids = vec![v1::ExternalId {
            system: some("siena"),
            id: Some(format!("S-{:06}", self.dice.below(1_000_000))),
        }];
        report.items = vec![v1::Item {
            item_id: some("item-1"),
            kind: Some(v1::ItemKind::Video.into()),
            custody: Some(v1::Custody {
                holder: some("Example Police"),
                handle: Some(format!("E-{:05}", self.dice.below(100_000))),
                preserved_until: some("2027-07-31T00:00:00Z"),
            }),
            ..v1::Item::default()
        }];
    }
}

fn channel(kind: v1::channel::Kind) -> v1::Channel {
    v1::Channel { kind: Some(kind) }
}
