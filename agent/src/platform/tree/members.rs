//! Who belongs to a tree: a pure function of a table of processes and of what was known before.
//!
//! A process belongs to the tree if it is
//! 1. known already (same number *and* same start, for numbers are reused), or
//! 2. marked by the tree's token, or
//! 3. the child of a process that belongs, or did at the last look, or
//! 4. in a session or process group whose leader belongs or did: one that was *created inside the tree*. The group of
//!    the first process is not: a shell puts both ends of `seatkeeper run … | less` into it.

use std::collections::BTreeMap;

use super::MEMBERS_MAX;

/// A living process. Zombies are dead: they have ended and only wait to be asked how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// 0 where the system has none.
    pub(super) session: u32,
    /// 0 where the system has none.
    pub(super) group: u32,
    /// When it started; only compared.
    pub(super) start: u64,
    /// Whether it carries the tree's token.
    pub(super) marked: bool,
}

/// Who belonged at the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Members {
    first: (u32, u64),
    /// Number to start.
    living: BTreeMap<u32, u64>,
    /// Leaders of sessions and groups created inside the tree, whether they live or not, that have members: number
    /// to the leader's start. The system doesn't reuse the number as long as the session or group exists.
    leaders: BTreeMap<u32, u64>,
}

impl Members {
    /// A tree of one process.
    pub(super) fn first(pid: u32, start: u64) -> Self {
        Self { first: (pid, start), living: BTreeMap::from([(pid, start)]), leaders: BTreeMap::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.living.is_empty()
    }

    /// Every member's number and start.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u32, u64)> + '_ {
        self.living.iter().map(|(pid, start)| (*pid, *start))
    }

    /// Who belongs now, going by a fresh table.
    pub(super) fn after(&self, table: &[Row]) -> Self {
        let starts: BTreeMap<u32, u64> = table.iter().map(|row| (row.pid, row.start)).collect();
        // Whether number `pid`, once of a process that started at `start`, was another's when `row` started.
        let reused = |pid: u32, start: u64, row: &Row| {
            row.start < start || starts.get(&pid).is_some_and(|now| *now != start && *now <= row.start)
        };
        let mut living = BTreeMap::new();
        // What died since the last look may have started something in between.
        let mut parents = self.living.clone();
        let mut leaders = self.leaders.clone();
        loop {
            let before = living.len();
            for row in table {
                if living.contains_key(&row.pid) || living.len() >= MEMBERS_MAX {
                    continue;
                }
                let inside = |of: &BTreeMap<u32, u64>, pid: u32| {
                    of.get(&pid).is_some_and(|start| !reused(pid, *start, row))
                };
                let belongs = self.living.get(&row.pid) == Some(&row.start)
                    || row.marked
                    || inside(&parents, row.parent)
                    || inside(&leaders, row.session)
                    || inside(&leaders, row.group);
                if !belongs {
                    continue;
                }
                living.insert(row.pid, row.start);
                parents.insert(row.pid, row.start);
                let leads_group = row.group == row.pid && (row.pid, row.start) != self.first;
                if leads_group || row.session == row.pid {
                    leaders.insert(row.pid, row.start);
                }
            }
            if living.len() == before {
                break;
            }
        }
        if living.len() >= MEMBERS_MAX {
            tracing::warn!(
                pid = self.first.0,
                max = MEMBERS_MAX,
                "a program has more processes than are watched"
            );
        }
        leaders.retain(|leader, _| {
            table
                .iter()
                .any(|row| living.contains_key(&row.pid) && (row.session == *leader || row.group == *leader))
        });
        Self { first: self.first, living, leaders }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// pid, parent, session, group, start.
    type Line = (u32, u32, u32, u32, u64);

    fn row((pid, parent, session, group, start): Line) -> Row {
        Row { pid, parent, session, group, start, marked: false }
    }

    /// The shell 50 leads the terminal's session; the first process is 100, started at 10, leading its job's group.
    const SHELL: Line = (50, 1, 50, 50, 1);
    const FIRST: Line = (100, 50, 50, 100, 10);

    /// Who belongs after each of these looks.
    fn check(what: &str, looks: &[&[Line]], expected: &[&[u32]]) {
        let mut members = Members::first(100, 10);
        for (n, (look, expected)) in looks.iter().zip(expected).enumerate() {
            let table: Vec<Row> = look.iter().copied().map(row).collect();
            members = members.after(&table);
            let found: Vec<u32> = members.iter().map(|(pid, _)| pid).collect();
            assert_eq!(found, *expected, "{what}, look {n}");
        }
        assert_eq!(looks.len(), expected.len());
    }

    #[test]
    fn children_belong_and_neighbours_do_not() {
        let grandchild = (102, 101, 50, 100, 12);
        let look = [SHELL, FIRST, (101, 100, 50, 100, 11), grandchild, (60, 50, 50, 60, 11)];
        check("a plain tree", &[&look], &[&[100, 101, 102]]);
        // In any order of the table.
        let mut backwards = look;
        backwards.reverse();
        check("a plain tree, backwards", &[&backwards], &[&[100, 101, 102]]);
    }

    #[test]
    fn an_orphan_stays() {
        let child = (101, 100, 50, 100, 11);
        let orphan = (101, 1, 50, 100, 11);
        check(
            "the wrapper is killed",
            &[&[SHELL, FIRST, child], &[SHELL, orphan], &[SHELL]],
            &[&[100, 101], &[101], &[]],
        );
    }

    #[test]
    fn a_child_started_since_the_last_look_by_a_process_that_is_gone() {
        // A starter in its own session, gone before the second look, with a child that nobody saw before.
        let starter = (101, 100, 101, 101, 11);
        let left = (103, 1, 101, 101, 13);
        check(
            "its session tells",
            &[&[SHELL, FIRST, starter], &[SHELL, FIRST, left], &[SHELL, left]],
            &[&[100, 101], &[100, 103], &[103]],
        );
        // Windows: the child keeps naming its dead parent.
        let left = (103, 101, 0, 0, 13);
        let starter = (101, 100, 0, 0, 11);
        check(
            "its parent tells",
            &[&[FIRST, starter], &[FIRST, left], &[left]],
            &[&[100, 101], &[100, 103], &[103]],
        );
    }

    #[test]
    fn the_shells_session_and_the_jobs_group_are_not_the_trees() {
        let less = (70, 50, 50, 100, 11);
        let other_job = (80, 50, 50, 80, 12);
        check("a pipe", &[&[SHELL, FIRST, less, other_job], &[SHELL, less, other_job]], &[&[100], &[]]);
    }

    #[test]
    fn a_reused_number_is_another_process() {
        let other = (100, 50, 50, 100, 99);
        let its_child = (200, 100, 50, 100, 100);
        check("of the first", &[&[SHELL, FIRST], &[SHELL, other, its_child]], &[&[100], &[]]);
        let daemon = (101, 1, 101, 101, 11);
        let child = (101, 100, 101, 101, 11);
        let stranger = [(101, 1, 101, 101, 90), (102, 101, 101, 101, 91)];
        check("of a leader", &[&[FIRST, child], &[daemon], &stranger], &[&[100, 101], &[101], &[]]);
        // Older than the number's owner: it can't be its child.
        check("of a parent", &[&[FIRST, (90, 100, 50, 50, 5)]], &[&[100]]);
    }

    #[test]
    fn the_token_tells_whom_nothing_else_does() {
        let marked = Row { marked: true, ..row((300, 1, 300, 300, 20)) };
        let child = row((301, 300, 300, 300, 21));
        let members = Members::first(100, 10).after(&[marked, child]);
        assert_eq!(members.iter().collect::<Vec<_>>(), [(300, 20), (301, 21)]);
    }

    #[test]
    fn the_number_of_members_is_bounded() {
        let max = u32::try_from(MEMBERS_MAX).unwrap();
        let table: Vec<Row> = (100..100 + 2 * max).map(|pid| row((pid, 100, 50, 100, 10))).collect();
        assert_eq!(Members::first(100, 10).after(&table).iter().count(), MEMBERS_MAX);
    }
}
