//! Both routers as a sender and an operator see them.

mod faulty;
mod harness;
mod ingress;
mod refusals;
