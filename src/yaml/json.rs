//! A node as JSON text, with numbers in the spelling of Go's `encoding/json`.
//!
//! The spelling matters: `1.0` must come out as `1`, or the API server would refuse for an integer
//! field what it takes from kubectl.

use crate::yaml::node::{Node, Value};

impl Node {
    /// The JSON that sigs.k8s.io/yaml makes of the node and kubectl sends, keys in written order.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write(self, &mut out);
        out
    }
}

/// Appends the node. It nests no deeper than the reader allows, so recursion is bounded.
fn write(node: &Node, out: &mut Vec<u8>) {
    match &node.value {
        Value::Null => out.extend(b"null"),
        Value::Bool(value) => out.extend(value.to_string().bytes()),
        Value::Int(value) => out.extend(value.to_string().bytes()),
        Value::Float(value) => out.extend(float(*value).bytes()),
        Value::String(text) => string(text, out),
        Value::Sequence(items) => {
            out.push(b'[');
            for (index, item) in items.iter().enumerate() {
                separate(index, out);
                write(item, out);
            }
            out.push(b']');
        }
        Value::Mapping(entries) => {
            out.push(b'{');
            for (index, entry) in entries.iter().enumerate() {
                separate(index, out);
                string(&entry.key, out);
                out.push(b':');
                write(&entry.value, out);
            }
            out.push(b'}');
        }
    }
}

fn separate(index: usize, out: &mut Vec<u8>) {
    if index > 0 {
        out.push(b',');
    }
}

fn string(text: &str, out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            0..=0x1f => out.extend(format!("\\u{byte:04x}").bytes()),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// The shortest digits that read back as the same number; exponents from 1e21 up and below 1e-6.
fn float(value: f64) -> String {
    if value == 0.0 || (1e-6..1e21).contains(&value.abs()) {
        return value.to_string();
    }
    let scientific = format!("{value:e}");
    if scientific.contains("e-") { scientific } else { scientific.replace('e', "e+") }
}
