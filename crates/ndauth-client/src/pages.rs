//! Lists that come in pages. The client reads them to their end, within limits that no server can exceed.

use ndauth_core::{Problem, Reason};
use prost::Message;

/// The largest page that the server returns, in rows.
const PAGE: i32 = 1000;
/// The longest list that is read, in rows.
pub(crate) const LARGEST_LIST: usize = 100_000;
/// The longest list that is read, in bytes on the wire.
const LARGEST_SIZE: usize = 256 * 1024 * 1024;
/// The most pages that are requested. A page may be smaller than its limit, and even empty.
const MOST_PAGES: usize = 1000;

/// The rows of a list that have been read so far.
pub(crate) struct Pages<T> {
    limit: usize,
    rows: Vec<T>,
    /// The size of these rows in bytes.
    size: usize,
    /// The number of pages that were read.
    count: usize,
    next: String,
}

impl<T: Message> Pages<T> {
    /// Returns an empty list that reads up to `limit` rows.
    pub(crate) fn up_to(limit: usize) -> Pages<T> {
        Pages { limit, rows: Vec::new(), size: 0, count: 0, next: String::new() }
    }

    /// Returns the size and the token of the next page to request.
    pub(crate) fn next(&self) -> (i32, String) {
        let left = self.limit.saturating_sub(self.rows.len());
        (i32::try_from(left).unwrap_or(PAGE).min(PAGE), self.next.clone())
    }

    /// Adds a page. `next` is the token of the page after it, empty for the last page. Returns true if
    /// another page is to be requested, and an error if the list is too long.
    pub(crate) fn add(&mut self, page: Vec<T>, next: String) -> Result<bool, Problem> {
        let left = self.limit.saturating_sub(self.rows.len());
        self.size += page.iter().map(Message::encoded_len).sum::<usize>();
        self.rows.extend(page.into_iter().take(left));
        self.count += 1;
        let came = self.rows.len();
        if next.is_empty() || came >= self.limit {
            return Ok(false);
        }
        if came >= LARGEST_LIST || self.size >= LARGEST_SIZE {
            let message = format!("the list is too long: it goes on after {came} rows");
            return Err(Problem::new(Reason::RequestTooLarge, message));
        }
        if next == self.next {
            return Err(endless("a page leads to itself"));
        }
        if self.count >= MOST_PAGES {
            return Err(endless("a list has no end"));
        }
        self.next = next;
        Ok(true)
    }

    /// Returns the rows.
    pub(crate) fn into_rows(self) -> Vec<T> {
        self.rows
    }
}

/// Returns the error for a response that no ndauth server sends.
fn endless(what: &str) -> Problem {
    Problem::new(Reason::Internal, format!("invalid response from the server: {what}"))
}

#[cfg(test)]
mod tests {
    use ndauth_proto::v1::Org;

    use super::*;

    /// Reads a list of such pages; `page` takes the page's number and size. Returns the length of the list,
    /// and the number of pages requested.
    fn gathered(
        limit: usize,
        page: impl Fn(usize, usize) -> (usize, String),
    ) -> (Result<usize, (Reason, String)>, usize) {
        let mut pages = Pages::up_to(limit);
        for asked in 0.. {
            let (rows, next) = page(asked, usize::try_from(pages.next().0).expect("a size"));
            match pages.add(vec![Org::default(); rows], next) {
                Ok(true) => {}
                Ok(false) => return (Ok(pages.into_rows().len()), asked + 1),
                Err(problem) => return (Err((problem.reason, problem.message)), asked + 1),
            }
        }
        unreachable!("it ends")
    }

    #[test]
    fn a_list_is_gathered_to_its_end_or_to_the_limit() {
        let next = |number: usize| if number < 3 { format!("page {number}") } else { String::new() };
        let full = |number, size| (size, next(number));
        assert_eq!(gathered(usize::MAX, full), (Ok(4000), 4));
        assert_eq!(gathered(2500, full), (Ok(2500), 3));
        assert_eq!(gathered(2000, full), (Ok(2000), 2));
        // One server returns more than was requested; the other's filter leaves a page empty.
        assert_eq!(gathered(7, |number, _| (1000, next(number))), (Ok(7), 1));
        assert_eq!(gathered(usize::MAX, |number, _| (number % 2, next(number))), (Ok(2), 4));
    }

    #[test]
    fn a_list_without_an_end_is_cut_off() {
        let longer = "the list is too long: it goes on after 100000 rows".to_owned();
        let too_long = Err((Reason::RequestTooLarge, longer));
        let fresh = |number: usize| format!("page {number}");
        assert_eq!(gathered(usize::MAX, |number, size| (size, fresh(number))), (too_long.clone(), 100));
        assert_eq!(gathered(LARGEST_LIST + 1, |number, size| (size, fresh(number))), (too_long, 100));
        let nonsense = |what| Err((Reason::Internal, format!("invalid response from the server: {what}")));
        let same = |_, _| (1, "again".to_owned());
        assert_eq!(gathered(usize::MAX, same), (nonsense("a page leads to itself"), 2));
        let empty = |number, _| (0, fresh(number));
        assert_eq!(gathered(usize::MAX, empty), (nonsense("a list has no end"), MOST_PAGES));
    }

    #[test]
    fn large_rows_are_counted_by_their_size() {
        let large = Org { name: "x".repeat(LARGEST_SIZE / 2), ..Org::default() };
        let mut pages = Pages::up_to(usize::MAX);
        assert_eq!(
            pages.add(vec![large.clone()], "1".to_owned()).map_err(|problem| problem.reason),
            Ok(true)
        );
        let more = pages.add(vec![large], "2".to_owned()).map_err(|problem| problem.reason);
        assert_eq!(more, Err(Reason::RequestTooLarge));
    }
}
