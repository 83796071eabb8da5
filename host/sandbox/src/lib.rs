//! hookbox-sandbox
