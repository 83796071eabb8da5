//! The schemes that hookbox knows by name, and what an operator has to know about each.
//!
//! One file per kind of sender. Names, encodings and places are those of the senders' own libraries
//! and pages; what could not be confirmed there is listed in [`About::unconfirmed`], and set
//! otherwise by `scheme: { like: NAME, ... }` in hooks.yaml.

mod build;
mod code;
mod content;
mod events;
mod mail;
mod messaging;
mod operations;
mod payments;
mod sales;
mod social;
mod standard;
#[cfg(test)]
mod tests;

use std::mem::ManuallyDrop;

use super::scheme::Scheme;

/// A scheme and the words that go with it.
pub(crate) struct Preset {
    /// A constant that would have to be dropped cannot be taken apart into the table.
    scheme: ManuallyDrop<Scheme>,
    about: About,
}

impl Preset {
    const fn new(scheme: Scheme, about: About) -> Preset {
        Preset { scheme: ManuallyDrop::new(scheme), about }
    }
}

/// What a scheme's data does not say, for `hookbox providers show`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct About {
    /// The sender, as it writes itself.
    pub title: &'static str,
    /// Where the operator finds the secret and enters the URL.
    pub settings: &'static str,
    /// What a forger could change without the signature saying so.
    pub not_covered: &'static str,
    /// What stops a delivery that is sent again by a stranger.
    pub replay: &'static str,
    /// Empty where there is nothing to add.
    pub notes: &'static str,
    /// What no source of the sender's own confirms; see the module.
    pub unconfirmed: &'static [&'static str],
}

/// Names at least so alike are taken for one another.
const LIKENESS_MIN: f64 = 0.8;

/// Other names that people look a preset up by, each with the preset's own.
pub const ALIASES: &[(&str, &str)] = &[
    ("github", "github-256"),
    ("bitbucket-server", "bitbucket"),
    ("sendgrid", "sendgrid-ecdsa"),
    ("hubspot", "hubspot-v3"),
    ("adyen", "adyen-item"),
    // Commerce is the legacy product; what Coinbase sends for all others is Hook0's wire form.
    ("coinbase", "hook0"),
    ("x", "twitter"),
    ("twitter-crc", "twitter"),
    ("facebook", "meta"),
    ("instagram", "meta"),
    ("whatsapp", "meta"),
    ("clerk", "svix"),
    ("resend", "svix"),
];

macro_rules! presets {
    ($($preset:path,)*) => {
        /// In the order in which they are shown.
        pub(super) static PRESETS: [Scheme; [$(stringify!($preset)),*].len()] = [$(ManuallyDrop::into_inner($preset.scheme)),*];

        /// At each scheme's own index.
        static ABOUTS: [About; PRESETS.len()] = [$($preset.about),*];
    };
}

presets![
    standard::GENERIC,
    standard::STANDARD_WEBHOOKS,
    standard::CLOUDEVENTS,
    standard::SVIX,
    standard::OPENAI,
    standard::REPLICATE,
    code::GITHUB_256,
    code::GITLAB,
    code::GITLAB_SIGNED,
    code::BITBUCKET,
    code::JIRA,
    code::GITEA,
    code::FORGEJO,
    code::GOGS,
    code::LINEAR,
    code::CURSOR,
    payments::STRIPE,
    payments::SQUARE,
    payments::PADDLE,
    payments::ADYEN_ITEM,
    payments::ADYEN_HEADER,
    payments::RAZORPAY,
    payments::CHARGEBEE,
    payments::COINBASE_COMMERCE,
    events::HOOK0,
    events::HOOKDECK,
    events::OUTPOST,
    messaging::SLACK,
    messaging::DISCORD,
    messaging::DISCORD_EVENTS,
    messaging::TELEGRAM,
    messaging::LINE,
    messaging::ZOOM,
    messaging::TWILIO,
    mail::SENDGRID_ECDSA,
    mail::MAILGUN,
    mail::MAILGUN_FORM,
    mail::POSTMARK,
    social::META,
    social::TWITTER,
    social::TWITCH,
    sales::SHOPIFY,
    sales::WOOCOMMERCE,
    sales::HUBSPOT_V3,
    sales::HUBSPOT_V2,
    sales::HUBSPOT_V1,
    sales::ZENDESK,
    sales::INTERCOM,
    sales::TYPEFORM,
    content::DROPBOX,
    content::DROPBOX_SIGN,
    content::DOCUSIGN,
    content::NOTION,
    content::VERCEL,
    content::WEBFLOW,
    content::WORKOS,
    operations::PAGERDUTY,
    operations::SCALR,
    operations::ELEVENLABS,
    operations::DEEPGRAM,
];

/// What is known about the preset of that name, or of the alias.
pub fn about(name: &str) -> Option<&'static About> {
    let name = own_name(name);
    PRESETS.iter().zip(&ABOUTS).find(|(scheme, _)| scheme.name == name).map(|(_, about)| about)
}

/// The preset or alias that somebody may have meant.
pub fn alike(name: &str) -> Option<&'static str> {
    let known = PRESETS.iter().map(Scheme::name).chain(ALIASES.iter().map(|(alias, _)| *alias));
    let alike = known.map(|known| (strsim::jaro_winkler(&name.to_lowercase(), known), known));
    let best = alike.reduce(|best, next| if next.0 > best.0 { next } else { best });
    best.filter(|(likeness, _)| *likeness >= LIKENESS_MIN).map(|(_, known)| known)
}

/// The preset's own name for one of its aliases; any other name as it is.
pub(super) fn own_name(name: &str) -> &str {
    ALIASES.iter().find(|(alias, _)| *alias == name).map_or(name, |(_, name)| name)
}
