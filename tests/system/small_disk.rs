//! Hosts of which a folder is a small disk, as long as the process is: a tmpfs in a mount namespace of its own.

use std::io::Write;
use std::path::{Path, PathBuf};

use weir_tests::host::TestHost;

/// Kills the host and starts it again with a disk of `size` in place of `folder`; where that folder is to be seen from outside. What is written to it goes with the process.
pub fn start(host: TestHost, config: &str, folder: &str, size: &str) -> (TestHost, PathBuf) {
    let ports = (host.http, host.tcp);
    let of_host = host.crash().unwrap();
    let path = of_host.path().join(folder);
    let script = format!(
        "set -e; d={path:?}; mv \"$d\" \"$d.before\"; mkdir \"$d\"; mount -t tmpfs -o size={size} weir \"$d\"; cp -a \"$d.before/.\" \"$d\"; exec \"$@\""
    );
    let under = ["unshare", "-Urm", "sh", "-c", &script, "weir"].map(ToOwned::to_owned);
    let host = TestHost::start_under(&under, config, of_host, ports).unwrap();
    let inside = PathBuf::from(format!("/proc/{}/root{}", host.pid(), path.display()));
    (host, inside)
}

/// Takes all the room that there is.
pub fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    let full = (0..100_000).find_map(|_| file.write_all(&[0; 4096]).err()).expect("a small disk");
    assert_eq!(full.kind(), std::io::ErrorKind::StorageFull);
}
