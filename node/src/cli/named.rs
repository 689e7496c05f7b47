//! The names of the command line in terms of the protocol.

use frex_proto::v1;

use super::{KindArg, LaneArg, RoleArg};

impl From<RoleArg> for v1::Role {
    fn from(role: RoleArg) -> Self {
        match role {
            RoleArg::Hotline => Self::Hotline,
            RoleArg::Platform => Self::Platform,
            RoleArg::Police => Self::Police,
            RoleArg::Prosecutor => Self::Prosecutor,
            RoleArg::ClearingHouse => Self::ClearingHouse,
            RoleArg::Oversight => Self::Oversight,
        }
    }
}

impl From<KindArg> for v1::Kind {
    fn from(kind: KindArg) -> Self {
        match kind {
            KindArg::Report => Self::Report,
            KindArg::Feedback => Self::Feedback,
            KindArg::Request => Self::Request,
            KindArg::Response => Self::Response,
            KindArg::Notice => Self::Notice,
            KindArg::Statistics => Self::Statistics,
            KindArg::Ping => Self::Ping,
        }
    }
}

impl From<LaneArg> for v1::Lane {
    fn from(lane: LaneArg) -> Self {
        match lane {
            LaneArg::Urgent => Self::Urgent,
            LaneArg::Normal => Self::Normal,
            LaneArg::Bulk => Self::Bulk,
            LaneArg::Control => Self::Control,
        }
    }
}
