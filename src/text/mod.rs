//! Text made safe to print, bounded, and put into words.
//!
//! What a peer, a tenant or a file wrote is never printed as it is: it could move a cursor, turn the writing round, end a
//! line, or be as long as a review. There are three forms, because there are three places that it goes to:
//!
//! | form | keeps | for |
//! |---|---|---|
//! | [`printable`], [`Printable`], [`PrintableKey`] | ASCII, to a length | refusals, warnings and errors, which pass through clients and logs of any kind |
//! | [`one_line`], [`one_line_of_yaml`] | every language | what a person reads on their own terminal about their own files: names of files, messages that repeat words of a file |
//! | [`Escaped`] | ASCII without quotes | a value in quotes, in a line that programs take apart |

mod cut;
mod escape;
mod not_ascii;
mod words;

pub use cut::{cut, cut_as_json, json_length, prefix};
pub use escape::{
    Escaped, OneLine, Printable, PrintableKey, PrintableUpTo, one_line, one_line_of_yaml, printable,
};
pub use not_ascii::{NotAscii, look_alikes, not_ascii};
pub use words::{Joined, counted, either, joined, nearest, plural, quoted};
