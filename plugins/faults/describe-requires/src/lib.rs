//! A component that requires a word which no host knows. Expected: refused, with the word named.

faults_describe::describes!(
    r#"{"name": "describe-requires", "version": "0.1.0", "summary": "wants too much", "kind": "filter", "requires": ["root-access"], "config": {"type": "object"}, "state": {"schema": 1, "migrates": []}}"#
        .to_owned()
);
