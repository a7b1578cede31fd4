//! The tree of nodes (rule 1).

use std::collections::BTreeMap;
use std::ops::Range;

use seatkeeper_protocol::id::Name;
use seatkeeper_protocol::limits;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::{NODES_MAX, NodeId};

/// A unit of the organisation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// What it is called, once in the organisation.
    pub id: NodeId,
    /// The node above; `None`: it is the root.
    pub parent: Option<NodeId>,
    /// What people call it.
    pub name: Name,
    /// Whether purchases may be registered to it.
    pub legal: bool,
    /// Who is covered first when not all can be: 0 (the default) to [`limits::PRIORITY_MAX`], the higher the sooner.
    pub priority: u8,
}

/// A tree of nodes.
///
/// 1. There is one root, and each node is below it.
/// 2. Each id is there once.
/// 3. At most [`NODES_MAX`] nodes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    root: Node,
    /// In the tree's order: each node before those below it, siblings by id.
    nodes: Vec<Node>,
    places: BTreeMap<NodeId, usize>,
    /// By place: the place of the parent. The root is its own.
    parents: Vec<usize>,
    /// By place: the place behind the last node below it.
    ends: Vec<usize>,
}

/// Why nodes are no tree. Rows are counted from 1, or as the file counts them from which they were imported.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum TreeError {
    /// No nodes.
    #[error("there are no nodes; the first row must be the root, whose parent is empty")]
    Empty,
    /// Too many nodes.
    #[error("row {row}: an organisation has at most {NODES_MAX} nodes; leave some out")]
    TooMany {
        /// The first that is too many.
        row: usize,
    },
    /// One id twice.
    #[error("row {row}: node `{node}` is there already, in row {first}; give it another id")]
    Duplicate {
        /// The second one.
        row: usize,
        /// The id.
        node: NodeId,
        /// The row of the first one.
        first: usize,
    },
    /// A parent that is not there.
    #[error(
        "row {row}: node `{node}` is below `{parent}`, which is not there; add that node, or correct the parent"
    )]
    UnknownParent {
        /// Where.
        row: usize,
        /// The node.
        node: NodeId,
        /// Its parent.
        parent: NodeId,
    },
    /// Two nodes without a parent.
    #[error(
        "row {row}: node `{node}` has no parent, and neither has `{first}` in row {first_row}; there is one root, so name a parent"
    )]
    TwoRoots {
        /// The second one.
        row: usize,
        /// The node.
        node: NodeId,
        /// The first root.
        first: NodeId,
        /// Its row.
        first_row: usize,
    },
    /// A node that is above itself.
    #[error(
        "row {row}: node `{node}` is above itself; give it, or a node between, a parent that leads to the root"
    )]
    Cycle {
        /// The first row of it.
        row: usize,
        /// The node.
        node: NodeId,
    },
    /// A priority beyond the highest.
    #[error(
        "row {row}: node `{node}` has priority {priority}; the highest is {}, write 0 to {}",
        limits::PRIORITY_MAX,
        limits::PRIORITY_MAX
    )]
    Priority {
        /// Where.
        row: usize,
        /// The node.
        node: NodeId,
        /// The priority.
        priority: u8,
    },
}

impl Organisation {
    /// A tree of these nodes, in whatever order.
    ///
    /// # Errors
    /// The first row that is wrong, counted from 1.
    pub fn new(nodes: Vec<Node>) -> Result<Self, TreeError> {
        Self::from_rows(nodes.into_iter().zip(1..).map(|(node, row)| (row, node)).collect())
    }

    /// The same, with each node's row.
    pub(super) fn from_rows(rows: Vec<(usize, Node)>) -> Result<Self, TreeError> {
        if let Some((row, _)) = rows.get(NODES_MAX) {
            return Err(TreeError::TooMany { row: *row });
        }
        let root = check_rows(&rows)?;
        let root_id = root.as_ref().map(|root| root.id.clone());
        let mut by_id: BTreeMap<NodeId, (usize, Node)> = BTreeMap::new();
        let mut below: BTreeMap<NodeId, Vec<NodeId>> = BTreeMap::new();
        for (row, node) in rows {
            by_id.insert(node.id.clone(), (row, node));
        }
        // By id, so the children of each node are too. Reversed, since they are taken from the end.
        for (id, (_, node)) in by_id.iter().rev() {
            if let Some(parent) = &node.parent {
                below.entry(parent.clone()).or_default().push(id.clone());
            }
        }
        let (mut nodes, mut parents) = (Vec::with_capacity(by_id.len()), Vec::with_capacity(by_id.len()));
        let mut places: BTreeMap<NodeId, usize> = BTreeMap::new();
        let mut todo: Vec<NodeId> = root_id.into_iter().collect();
        while let Some(id) = todo.pop() {
            let Some((_, node)) = by_id.remove(&id) else { continue };
            parents.push(node.parent.as_ref().and_then(|parent| places.get(parent).copied()).unwrap_or(0));
            places.insert(id.clone(), nodes.len());
            nodes.push(node);
            todo.extend(below.remove(&id).into_iter().flatten());
        }
        // Whoever is not below the root is on a cycle, or below one.
        if let Some((row, node)) = first_on_cycle(&by_id) {
            return Err(TreeError::Cycle { row, node });
        }
        // Without a root every node is on a cycle, or below one.
        let Some(root) = root else { return Err(TreeError::Empty) };
        let ends = ends(&parents);
        Ok(Self { root, nodes, places, parents, ends })
    }

    /// Its nodes in the tree's order: each before those below it, siblings by id.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node with this id.
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(self.place(id)?)
    }

    /// The root.
    pub fn root(&self) -> &Node {
        &self.root
    }

    /// Whether `node` is `above` or a node below it. Not, if one of them is not there.
    pub fn is_within(&self, node: &NodeId, above: &NodeId) -> bool {
        match (self.place(node), self.place(above)) {
            (Some(node), Some(above)) => self.within(above).contains(&node),
            _ => false,
        }
    }

    /// Its place in the tree's order.
    pub(crate) fn place(&self, id: &NodeId) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// Ids and their places, by id.
    pub(super) fn places(&self) -> impl Iterator<Item = (&NodeId, usize)> {
        self.places.iter().map(|(id, place)| (id, *place))
    }

    /// The places of a node and of all below it.
    pub(crate) fn within(&self, place: usize) -> Range<usize> {
        place..self.ends.get(place).copied().unwrap_or(place)
    }

    /// The place of the node above; of the root its own.
    pub(super) fn parent(&self, place: usize) -> usize {
        self.parents.get(place).copied().unwrap_or_default()
    }

    /// Those directly below a node.
    pub fn children(&self, id: &NodeId) -> impl Iterator<Item = &Node> {
        let id = id.clone();
        self.nodes.iter().filter(move |node| node.parent.as_ref() == Some(&id))
    }
}

/// What can be told row by row. The root, if there is one.
fn check_rows(rows: &[(usize, Node)]) -> Result<Option<Node>, TreeError> {
    if rows.is_empty() {
        return Err(TreeError::Empty);
    }
    let mut row_of: BTreeMap<&NodeId, usize> = BTreeMap::new();
    for (row, node) in rows {
        row_of.entry(&node.id).or_insert(*row);
    }
    let mut root: Option<(usize, &Node)> = None;
    for (row, node) in rows {
        let (row, id) = (*row, node.id.clone());
        match row_of.get(&node.id) {
            Some(first) if *first != row => {
                return Err(TreeError::Duplicate { row, node: id, first: *first });
            }
            _ => {}
        }
        if node.priority > limits::PRIORITY_MAX {
            return Err(TreeError::Priority { row, node: id, priority: node.priority });
        }
        match (&node.parent, root) {
            (Some(parent), _) if !row_of.contains_key(parent) => {
                return Err(TreeError::UnknownParent { row, node: id, parent: parent.clone() });
            }
            (Some(_), _) => {}
            (None, Some((first_row, first))) => {
                return Err(TreeError::TwoRoots { row, node: id, first: first.id.clone(), first_row });
            }
            (None, None) => root = Some((row, node)),
        }
    }
    Ok(root.map(|(_, node)| node.clone()))
}

/// The first row of those nodes that are above themselves.
fn first_on_cycle(rest: &BTreeMap<NodeId, (usize, Node)>) -> Option<(usize, NodeId)> {
    // Leaves are taken away until none is left: what remains are the cycles.
    let mut children: BTreeMap<&NodeId, usize> = rest.keys().map(|id| (id, 0)).collect();
    let parent = |id: &NodeId| rest.get(id).and_then(|(_, node)| node.parent.as_ref());
    rest.keys().filter_map(parent).for_each(|above| {
        children.entry(above).and_modify(|count| *count += 1);
    });
    let mut leaves: Vec<&NodeId> =
        children.iter().filter(|(_, count)| **count == 0).map(|(id, _)| *id).collect();
    while let Some(leaf) = leaves.pop() {
        children.remove(leaf);
        let Some(above) = parent(leaf) else { continue };
        if let Some(count) = children.get_mut(above) {
            *count -= 1;
            if *count == 0 {
                leaves.push(above);
            }
        }
    }
    let rows = children.keys().filter_map(|id| rest.get(*id));
    rows.min_by_key(|(row, _)| *row).map(|(row, node)| (*row, node.id.clone()))
}

/// By place: the place behind the last node below it.
fn ends(parents: &[usize]) -> Vec<usize> {
    let mut ends: Vec<usize> = (1..=parents.len()).collect();
    for (place, parent) in parents.iter().enumerate().rev() {
        let end = ends.get(place).copied().unwrap_or_default();
        if let Some(above) = ends.get_mut(*parent) {
            *above = end.max(*above);
        }
    }
    ends
}
