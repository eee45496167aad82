//! Where configuration and data are looked for, by the XDG base directory specification (0.8): only absolute paths in its variables count.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The file to use; none: the built-in configuration. A file that was asked for by name is used even if it is not there, so that the
/// error names it.
pub fn config_file(asked: Option<PathBuf>) -> Option<PathBuf> {
    find_config(asked, &|name| std::env::var_os(name), &|path| path.is_file())
}

/// Folder for data where nothing else is said; not made here. None: neither XDG_DATA_HOME nor HOME is set.
pub fn data_home() -> Option<PathBuf> {
    base("XDG_DATA_HOME", ".local/share", &|name| std::env::var_os(name)).map(|base| base.join("weir"))
}

fn find_config(
    asked: Option<PathBuf>,
    variable: &dyn Fn(&str) -> Option<OsString>,
    is_file: &dyn Fn(&Path) -> bool,
) -> Option<PathBuf> {
    if asked.is_some() {
        return asked;
    }
    let users = base("XDG_CONFIG_HOME", ".config", variable).map(|base| base.join("weir/weir.toml"));
    [Some(PathBuf::from("weir.toml")), users].into_iter().flatten().find(|path| is_file(path))
}

fn base(name: &str, below_home: &str, variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute(name).or_else(|| absolute("HOME").map(|home| home.join(below_home)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(asked: Option<&str>, variables: &[(&str, &str)], files: &[&str]) -> Option<PathBuf> {
        let variable =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into());
        find_config(asked.map(PathBuf::from), &variable, &|path| {
            files.iter().any(|file| Path::new(file) == path)
        })
    }

    #[test]
    fn the_nearest_configuration_wins() {
        let home = [("HOME", "/home/a")];
        let users = "/home/a/.config/weir/weir.toml";
        assert_eq!(found(Some("x.toml"), &home, &["weir.toml"]), Some("x.toml".into()));
        assert_eq!(found(None, &home, &["weir.toml", users]), Some("weir.toml".into()));
        assert_eq!(found(None, &home, &[users]), Some(users.into()));
        assert_eq!(
            found(None, &[("XDG_CONFIG_HOME", "/c"), ("HOME", "/h")], &["/c/weir/weir.toml"]),
            Some("/c/weir/weir.toml".into())
        );
        assert_eq!(
            found(None, &[("XDG_CONFIG_HOME", "relative"), ("HOME", "/home/a")], &[users]),
            Some(users.into())
        );
        assert_eq!(found(None, &[], &[]), None);
    }
}
