//! shim
#[derive(Debug, Clone)]
pub struct Secret;
