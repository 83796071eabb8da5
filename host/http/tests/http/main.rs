//! Both routers as a sender and an operator see them.

mod harness;
mod ingress;
