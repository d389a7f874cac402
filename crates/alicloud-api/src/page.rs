//! Reading a list to its end: page by page, bounded.

use crate::{Client, Error, ErrorKind, RegionId, Request, Result, transport::call};

/// At most so many pages are read of one list (10,000 entries at the usual 100 per page); past that it is an error, not
/// a silent cut.
pub const PAGES_MAX: usize = 100;

/// A call whose answer is one page of a list.
pub trait Paged: Request + Clone {
    /// An entry of the list.
    type Item: Send;

    /// Makes this the request for the first page, with the largest page the API allows.
    fn start(&mut self);

    /// Takes the entries out of `answer` and turns this into the request for the next page; `None` when `answer` was
    /// the last one. `seen` is the number of entries of the pages before.
    fn turn(&mut self, answer: Self::Answer, seen: usize) -> (Vec<Self::Item>, Turn);
}

/// Whether there is a further page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// The request now asks for the next page.
    More,
    /// That was all.
    Last,
}

impl Turn {
    /// For lists counted by `TotalCount`: an empty page ends them too, as entries may vanish while we read.
    pub(crate) fn by_count(got: usize, seen: usize, total: u32) -> Turn {
        if got == 0 || seen + got >= total as usize { Turn::Last } else { Turn::More }
    }
}

/// Reads all pages of `request`.
pub(crate) async fn read_all<R: Paged>(
    client: &Client,
    region: &RegionId,
    request: &R,
) -> Result<Vec<R::Item>> {
    let mut request = request.clone();
    request.start();
    let mut all = Vec::new();
    for _ in 0..PAGES_MAX {
        let answer = call(client, region, &request).await?;
        let (items, turn) = request.turn(answer, all.len());
        all.extend(items);
        if turn == Turn::Last {
            return Ok(all);
        }
    }
    let why = format!("{}: more than {PAGES_MAX} pages; narrow the filter", R::ACTION.name);
    Err(Error::new(ErrorKind::Failed, why))
}

/// Implements [`Paged`] for a call with `PageNumber`, `PageSize` and `TotalCount`.
macro_rules! paged_by_number {
    ($request:ident, $items:ident: $item:ty, $size:literal) => {
        impl $crate::page::Paged for $request {
            type Item = $item;

            fn start(&mut self) {
                (self.page_number, self.page_size) = (Some(1), Some($size));
            }

            fn turn(&mut self, answer: Self::Answer, seen: usize) -> (Vec<$item>, $crate::page::Turn) {
                self.page_number = self.page_number.map(|page| page + 1);
                let turn = $crate::page::Turn::by_count(answer.$items.len(), seen, answer.total_count);
                (answer.$items, turn)
            }
        }
    };
}

/// Implements [`Paged`] for a call with `NextToken`.
macro_rules! paged_by_token {
    ($request:ident, $items:ident: $item:ty $(, $size:literal)?) => {
        impl $crate::page::Paged for $request {
            type Item = $item;

            fn start(&mut self) {
                self.next_token = None;
                $(self.max_results = Some($size);)?
            }

            fn turn(&mut self, answer: Self::Answer, _seen: usize) -> (Vec<$item>, $crate::page::Turn) {
                self.next_token = answer.next_token.filter(|token| !token.is_empty());
                let more = self.next_token.is_some();
                (answer.$items, if more { $crate::page::Turn::More } else { $crate::page::Turn::Last })
            }
        }
    };
}

pub(crate) use {paged_by_number, paged_by_token};
