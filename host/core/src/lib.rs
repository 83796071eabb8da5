//! hookbox-core
