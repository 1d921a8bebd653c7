//! Objects that are read in pieces, from any place, and listed in pages.

use super::{BESIDE, Objects, PART, is_outside_of_it};
use crate::journal::seam::Segments as _;
use hyper::body::Bytes;
use object_store::list::{PaginatedListOptions, PaginatedListStore as _};
use object_store::{GetOptions, ObjectStore as _};
use std::io;
use std::ops::Range;

impl Objects {
    /// What one [put](crate::journal::Segments::put) takes, in bytes.
    pub(crate) const PUTTING: usize = super::MEMORY;
    /// What one request takes that reads so many bytes, or a page of a list.
    pub(crate) const fn reading(bytes: usize) -> usize {
        // While it comes its room doubles.
        2 * bytes + BESIDE
    }

    /// A part of an object, all of it: [`PART`] bytes at most.
    ///
    /// # Errors
    /// [`NotFound`](io::ErrorKind::NotFound) when there is no such object, [`InvalidData`](io::ErrorKind::InvalidData) when it is
    /// shorter, and others when it cannot be read now.
    pub(crate) fn range(&self, name: &str, range: Range<u64>) -> io::Result<Bytes> {
        let path = self.path(name);
        let wanted = range.end.saturating_sub(range.start);
        if wanted == 0 || wanted > PART as u64 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{wanted} bytes are no part of an object"),
            ));
        }
        let asked = async {
            let options = GetOptions { range: Some(range.clone().into()), ..GetOptions::default() };
            match self.store.get_opts(&path, options).await {
                Ok(found) => Ok((found.meta.size, found.bytes().await?)),
                Err(error) if is_outside_of_it(&error) => Ok((0, Bytes::new())),
                Err(error) => Err(error),
            }
        };
        let (len, bytes) = self.ask(name, asked)?;
        if len < range.end {
            let said = format!("{}: has fewer than the {} bytes that were put", self.place(name), range.end);
            return Err(io::Error::new(io::ErrorKind::InvalidData, said));
        }
        if bytes.len() as u64 != wanted {
            return Err(io::Error::other(format!("{}: {} bytes of {wanted} came", self.place(name), bytes.len())));
        }
        Ok(bytes)
    }

    /// The names that begin with `under`, so many at most (S3 gives no more than a thousand), and what says where the next page begins, if there is one.
    ///
    /// # Errors
    /// When they cannot be listed now.
    pub(crate) fn page(
        &self,
        under: &str,
        from: Option<String>,
        most: usize,
    ) -> io::Result<(Vec<String>, Option<String>)> {
        let all = format!("{}/", self.folder);
        let options =
            PaginatedListOptions { max_keys: Some(most), page_token: from, ..PaginatedListOptions::default() };
        let under = format!("{all}{under}");
        let listed = self.ask("", self.store.list_paginated(Some(&under), options))?;
        let name = |path: &str| path.strip_prefix(&all).map(str::to_owned);
        let names = listed.result.objects.iter().filter_map(|object| name(object.location.as_ref())).collect();
        Ok((names, listed.page_token))
    }
}
