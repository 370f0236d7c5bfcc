//! The tree as people read it: octets, field, value, meaning, in columns.

use std::fmt;

use super::{Explanation, Node};

/// Field names wider than this do not push the values of all others to the right.
const MAX_NAME: usize = 40;

struct Line<'a> {
    octets: String,
    name: String,
    node: &'a Node,
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = Vec::new();
        for node in &self.nodes {
            push(node, String::new(), String::new(), &mut lines);
        }
        let octets = lines.iter().map(|line| line.octets.len()).max().unwrap_or(0);
        let name = lines.iter().map(|line| line.name.chars().count().min(MAX_NAME)).max().unwrap_or(0);
        for line in &lines {
            let node = line.node;
            write!(f, "{:>octets$}  ", line.octets)?;
            if node.value.is_empty() && node.note.is_none() {
                writeln!(f, "{}", line.name)?;
                continue;
            }
            write!(f, "{:<name$}  ", line.name)?;
            let quote = if node.name == "text" { "\"" } else { "" };
            write!(f, "{quote}{}{quote}", Printable(&node.value))?;
            match &node.note {
                Some(note) if node.value.is_empty() => writeln!(f, "{}", Printable(note))?,
                Some(note) => writeln!(f, "  ({})", Printable(note))?,
                None => writeln!(f)?,
            }
        }
        Ok(())
    }
}

/// Adds the node and what is inside; `stem` is drawn in front of its name, `below` in front of its children's.
fn push<'a>(node: &'a Node, stem: String, below: String, lines: &mut Vec<Line<'a>>) {
    let octets = match node.octets.len() {
        0 => format!("{}", node.octets.start),
        1 => format!("{}", node.octets.start),
        _ => format!("{}-{}", node.octets.start, node.octets.end - 1),
    };
    let mark = if node.problem { "! " } else { "" };
    lines.push(Line { octets, name: format!("{stem}{mark}{}", node.name), node });
    for (index, child) in node.children.iter().enumerate() {
        let last = index + 1 == node.children.len();
        let (branch, trunk) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        push(child, format!("{below}{branch}"), format!("{below}{trunk}"), lines);
    }
}

/// Text that a sender chose, without what would move the cursor or turn the line around.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|char| {
            let turns =
                matches!(char, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if char.is_control() || turns {
                write!(f, "{}", char.escape_default())
            } else {
                fmt::Write::write_char(f, char)
            }
        })
    }
}
