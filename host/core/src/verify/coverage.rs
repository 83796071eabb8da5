//! What of a delivery its signature covers.

use super::Integrity;
use super::scheme::{Algorithm, Method, Piece, Place, Scheme, Text, TimestampUnit};

impl Scheme {
    /// How much of a delivery the signature vouches for: of the methods the least.
    pub fn integrity(&self) -> Integrity {
        self.methods.iter().map(|method| self.covers(method)).min().unwrap_or(Integrity::None)
    }

    fn covers(&self, method: &Method) -> Integrity {
        let body = method.content.contains(&Piece::Body);
        let hashed = self.body_hash.is_some() && method.content.contains(&Piece::Url);
        let form = hashed && method.content.contains(&Piece::SortedForm);
        match method.algorithm {
            Algorithm::Token => Integrity::None,
            _ if body || form => Integrity::Full,
            _ => Integrity::Partial,
        }
    }

    /// Whether a time right behind an id shows where the id ends, as digits do not.
    pub(crate) fn times_end_ids(&self) -> bool {
        self.timestamp.as_ref().is_some_and(|rule| rule.unit == TimestampUnit::Rfc3339)
    }

    /// Whether the signature covers every place of the delivery id, so that nobody can replay a
    /// delivery under another one.
    pub fn id_is_signed(&self) -> bool {
        self.delivery_id.iter().all(|places| self.signs(places))
    }

    /// Whether the signature covers all of these places.
    pub(crate) fn signs(&self, places: &[Place]) -> bool {
        let covered = |place: &Place, method: &Method| match place {
            Place::Header(name) => {
                let whole = self.id_header() == Some(name) && method.content.contains(&Piece::Id);
                whole || method.content.contains(&Piece::Header(name.clone()))
            }
            Place::Json(_) | Place::Form(_) | Place::MemberBeside(_) if self.covers(method) == Integrity::Full => true,
            Place::Json(path) => {
                let from_each = self.each.as_ref().and_then(|each| path.strip_prefix(each.as_ref())?.strip_prefix('.'));
                let path = from_each.map_or_else(|| path.clone(), |path| Text::Owned(path.to_owned()));
                method.content.contains(&Piece::Json(path))
            }
            Place::Form(name) => method.content.contains(&Piece::Form(name.clone())),
            Place::Constant(_) => true,
            Place::Query(_) => method.content.contains(&Piece::Url),
            Place::Numbered(_) | Place::Entry(_) | Place::MemberBeside(_) => false,
        };
        places.iter().all(|place| self.methods.iter().all(|method| covered(place, method)))
            && self.methods.iter().all(|method| method.algorithm != Algorithm::Token)
    }
}
