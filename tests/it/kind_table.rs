//! The kinds that carry pods, as users see and add to them: files of kinds, what CustomResourceDefinitions suggest, and the
//! commands for both.

mod command;
mod damage;
mod discover;
mod files;
