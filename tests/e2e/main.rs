//! stub, replaced at merge
