//! hookbox-http
