//! Secrets: bytes that cannot be printed.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Longest secret: keys of every scheme are far shorter, and a wrong file would not be.
pub const SECRET_BYTES_MAX: usize = 4096;

/// A signing secret or token as its owner wrote it. It prints as `[secret]`, compares in constant
/// time, is overwritten when dropped, and has no serialised form:
///
/// ```compile_fail,E0277
/// let secret = hookbox_core::secret::Secret::new(b"whsec").unwrap();
/// serde_json::to_string(&secret).unwrap();
/// ```
pub struct Secret(Zeroizing<Box<[u8]>>);

/// Bytes that are no secret. It never quotes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    #[error("a secret must not be empty or blank")]
    Empty,
    #[error("a secret must have at most {SECRET_BYTES_MAX} bytes")]
    TooLong,
}

impl Secret {
    /// Takes the bytes as they are: whoever reads a file strips its line end first. `Empty` also
    /// for white space alone, which a forgotten variable in a template leaves behind.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Secret, SecretError> {
        let bytes = Zeroizing::new(bytes.into().into_boxed_slice());
        if bytes.trim_ascii().is_empty() {
            return Err(SecretError::Empty);
        }
        if bytes.len() > SECRET_BYTES_MAX {
            return Err(SecretError::TooLong);
        }
        Ok(Secret(bytes))
    }

    /// For the code that computes with it; nothing that it returns may be logged, stored or sent.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Tells the lengths apart at once, and nothing else by time.
impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.expose().ct_eq(other.expose()).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_prints_nothing_of_itself() {
        let secret = Secret::new("hunter2").unwrap();
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "[secret] [secret] Some([secret])");
    }

    #[test]
    fn secrets_are_equal_when_their_bytes_are() {
        let secret = Secret::new("hunter2").unwrap();
        assert_eq!(secret, Secret::new(*b"hunter2").unwrap());
        assert_ne!(secret, Secret::new("hunter3").unwrap());
        assert_ne!(secret, Secret::new("hunter").unwrap());
    }

    #[test]
    fn a_blank_or_endless_secret_is_refused() {
        assert_eq!(Secret::new("x".repeat(SECRET_BYTES_MAX)).unwrap().expose().len(), SECRET_BYTES_MAX);
        assert_eq!(Secret::new("x".repeat(SECRET_BYTES_MAX + 1)), Err(SecretError::TooLong));
        for blank in ["", " ", "\r\n", "\t  \n"] {
            assert_eq!(Secret::new(blank), Err(SecretError::Empty), "{blank:?}");
        }
    }
}
