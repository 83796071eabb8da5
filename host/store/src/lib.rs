//! hookbox-store
