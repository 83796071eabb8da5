//! hookbox-engine
