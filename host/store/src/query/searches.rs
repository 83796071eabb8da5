//! Searches that operators keep under names: what they ask the list of runs for.

use std::ops::ControlFlow;

use crate::codec;
use crate::error::StoreError;
use crate::keys;
use crate::overlay::{Order, Read};
use crate::types::Search;
use crate::values;

pub(crate) fn searches(tree: &dyn Read) -> Result<Vec<Search>, StoreError> {
    let mut searches = Vec::new();
    let place = [keys::SEARCH];
    tree.scan(&place, &keys::end_of(&place), Order::Ascending, &mut |key, stored| {
        let name = key.get(1..).and_then(|name| std::str::from_utf8(name).ok());
        if let Some((name, row)) = name.zip(values::current(tree, key, stored)?) {
            searches.push(Search { name: name.to_owned(), query: codec::decode(&row)? });
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(searches)
}
