//! The memory that is available to this process.

use std::fs;

/// Returns the number of bytes that this process may still allocate, if the system reports it: the memory
/// available to all, or the rest of its control group's limit, if that is less.
pub(crate) fn available_memory() -> Option<u64> {
    let available = fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
    });
    available.into_iter().chain(left_to_cgroup()).min()
}

/// Returns the rest of the limit of this process's control group (version 2), if there is one.
fn left_to_cgroup() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let group = groups.lines().find_map(|line| line.strip_prefix("0::"))?;
    let number = |file: &str| -> Option<u64> {
        let path = format!("/sys/fs/cgroup{}/{file}", group.trim_end_matches('/'));
        fs::read_to_string(path).ok()?.trim().parse().ok()
    };
    Some(number("memory.max")?.saturating_sub(number("memory.current")?))
}
