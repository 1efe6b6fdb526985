//! podgate
fn main() {}
