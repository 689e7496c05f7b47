//! An invitation as a QR code of characters, for a camera in front of the screen.

use frex_proto::error::WireCode;
use qrcode::{EcLevel, QrCode, render::unicode::Dense1x2};

use crate::cli::failure::{Failure, OrCode};

/// The code as lines of half blocks. Light modules are drawn, because terminals are dark.
pub fn draw(text: &str) -> Result<String, Failure> {
    // The least redundancy gives the smallest picture; a screen has no scratches.
    let code = QrCode::with_error_correction_level(text, EcLevel::L)
        .or_code(WireCode::TooLarge, "the invitation makes no QR code")?;
    Ok(code
        .render::<Dense1x2>()
        .dark_color(Dense1x2::Light)
        .light_color(Dense1x2::Dark)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_usual_invitation_fits_an_ordinary_terminal() {
        let drawn = draw(&format!("FREX-JOIN:{}", "A".repeat(240))).expect("it fits");
        let width = drawn.lines().map(|line| line.chars().count()).max();
        assert!(width.is_some_and(|width| width <= 72), "{width:?}");
        assert!(drawn.lines().count() <= 36);
    }
}
