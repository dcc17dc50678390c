//! Git's protocol, without the connection: requests as bytes in, answers as bytes out (gitprotocol-v2(5),
//! gitprotocol-pack(5), gitprotocol-http(5)).
//!
//! Everything is stateless, as it is over HTTP: each request tells all that is needed to answer it. What a
//! real `git` fetches are the objects of a [`Repository`](super::Repository), with their ids; what it pushes
//! is read into one by [`Push::unpack`], and it is for a [`Forge`](super::forge::Forge) to take it or not.

mod advertise;
mod error;
mod negotiate;
mod pkt;
mod push;
mod select;
mod shallow;
mod upload;

pub use super::pack::PackError;
pub use advertise::{Version, advertise_fetch, advertise_push};
pub use error::WireError;
pub use push::Push;
pub use upload::upload_pack;

/// The content of a request that came with `Content-Encoding: gzip`, if it is that and comes to no more
/// than so many bytes.
pub fn gunzip(body: &[u8], most: usize) -> Option<Vec<u8>> {
    super::pack::gunzip(body, most)
}
